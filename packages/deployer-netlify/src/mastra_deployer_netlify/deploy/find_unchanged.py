"""Find the published deployment that a new deployment would only repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_core.pipeline import Deployment, DeployRequest
from mastra_deployer_netlify.resources.deployments import to_deployment
from mastra_deployer_netlify.resources.variables import Variables

__all__ = ("find_unchanged",)


def find_unchanged(
    site: Mapping[str, Any], variables: Variables, request: DeployRequest
) -> Deployment | None:
    """Return the published deployment if a new one would equal it; each deployment costs credits.

    :param site: the site, as Netlify describes it.
    :param variables: the variables of the environment.
    :param request: options of the deploy.
    :returns: the deployment; ``None`` if a new deployment is necessary.
    """
    item = site.get("published_deploy")
    if not item or request.environment != "production" or not request.promote:
        return None
    deployment = to_deployment(item, site)
    is_same = deployment.fingerprint == request.fingerprint != ""
    if not is_same or request.message not in ("", deployment.message):
        return None
    change_time = variables.get_change_time()
    return deployment if change_time is None or change_time <= deployment.created else None
