"""List the deployments of a project, and delete the project."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from mastra_core.pipeline import Deployment
from mastra_core.secret import Secret
from mastra_deployer_vercel.api import build_project_path, open_api
from mastra_deployer_vercel.resources.deployments import iter_deployments, to_deployment
from mastra_deployer_vercel.resources.project import find_project, get_live_id
from mastra_deployer_vercel.resources.rolling_release import (
    find_active_release,
    get_canary_id,
    get_percent,
)
from mastra_deployer_vercel.settings import VercelDeployer

__all__ = ("destroy", "list_deployments")


def list_deployments(
    settings: VercelDeployer, credentials: Mapping[str, Secret], limit: int
) -> list[Deployment]:
    """List the deployments of the project, newest first: ``GET /v6/deployments``.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param limit: how many deployments to return at most.
    :returns: the deployments; empty while there is no project.
    """
    with open_api(settings, credentials) as client:
        project = find_project(client, settings)
        if project is None:
            return []
        shares = _list_shares(project, find_active_release(client, settings))
        items = iter_deployments(client, project["id"], limit)
        deployments = [to_deployment(item, project, settings) for item in items]
        return [dataclasses.replace(item, percent=shares.get(item.id)) for item in deployments]


def _list_shares(project: dict[str, Any], release: dict[str, Any]) -> dict[str, int]:
    """Return the shares of the canary and the live deployment; empty without a canary."""
    if not release:
        return {}
    percent = get_percent(release)
    return {get_canary_id(release): percent, get_live_id(project): 100 - percent}


def destroy(settings: VercelDeployer, credentials: Mapping[str, Secret]) -> bool:
    """Delete the project, its deployments and its variables: ``DELETE /v9/projects/{name}``.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: whether there was a project.
    """
    with open_api(settings, credentials) as client:
        # A repeated deletion gets 404, so its status does not tell whether there was a project.
        if find_project(client, settings) is None:
            return False
        client.delete(build_project_path(settings), extensions={"mastra_accept": (404,)})
        return True
