"""Plan a deploy by comparing a bundle with Vercel."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.pipeline import Bundle, DeployRequest, Plan
from mastra_core.secret import Secret
from mastra_deployer.kit import temporary_directory
from mastra_deployer_vercel.api import open_api
from mastra_deployer_vercel.deploy.archive import pack_archive
from mastra_deployer_vercel.deploy.deploy import refuse_unpublished_draft
from mastra_deployer_vercel.resources.deployments import get_archive_parts, iter_deployments
from mastra_deployer_vercel.resources.project import find_project
from mastra_deployer_vercel.resources.variables import Variables
from mastra_deployer_vercel.settings import VercelDeployer

__all__ = ("plan_deploy",)

_SEARCH_LIMIT = 20  # newest deployments whose files count as present


def plan_deploy(
    bundle: Bundle,
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """Return what a deploy would create, change and upload; only read from Vercel.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param request: options of the deploy.
    :returns: the plan.
    :raises ConfigError: when mastra would end before it can promote a staged deployment.
    """
    refuse_unpublished_draft(settings, request)
    is_draft = request.environment == "production" and (settings.staged or not request.promote)
    with open_api(settings, credentials) as client, temporary_directory() as temp_dir:
        parts = pack_archive(bundle, temp_dir)
        project = find_project(client, settings)
        known_digests: set[str] = set()
        variables: Mapping[str, str] = {}
        if project is not None:
            for item in iter_deployments(client, project["id"], _SEARCH_LIMIT):
                known_digests |= {str(file.get("sha")) for file in get_archive_parts(item)}
            variables = Variables(client, settings, request.environment).list()
    create_project = () if project else (f"project {settings.project_name}",)
    return Plan(
        creates=(*create_project, f"{request.environment} {'draft' if is_draft else 'deployment'}"),
        changes=tuple(f"variable {name}" for name in request.env if name in variables),
        environment=tuple(request.env),
        upload=sum(part.size for part in parts if part.sha1 not in known_digests),
        present=sum(part.size for part in parts if part.sha1 in known_digests),
        notes=()
        if project
        else ("Vercel makes a project's first deployment a production deployment.",),
    )
