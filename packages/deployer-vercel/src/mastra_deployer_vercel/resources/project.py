"""Find or create the project of an app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_deployer.kit import (
    find_object,
    get_or_create,
    quote_segment,
    read_object,
    require_deployed,
)
from mastra_deployer_vercel.api import build_project_path
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = (
    "find_project",
    "get_billing_plan",
    "get_live_id",
    "get_or_create_project",
    "get_project",
    "is_reachable",
)

_ALL_DEPLOYMENTS = "all"  # value of deploymentType: the production domain is protected too


def find_project(client: httpx.Client, settings: VercelDeployer) -> dict[str, Any] | None:
    """Fetch the project: ``GET /v9/projects/{name}``.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :returns: the project, as Vercel describes it, or ``None``.
    """
    query = {**dict(client.params), "rollbackInfo": "true"}
    return find_object(client, build_project_path(settings), params=query)


def get_project(client: httpx.Client, settings: VercelDeployer) -> dict[str, Any]:
    """Fetch the project: ``GET /v9/projects/{name}``.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :returns: the project, as Vercel describes it.
    :raises DeployError: when the project does not exist.
    """
    return require_deployed(
        find_project(client, settings),
        f"Vercel has no project {settings.project_name!r} in this scope.",
        "Deploy first, or check project_name and team_id.",
    )


def get_or_create_project(client: httpx.Client, settings: VercelDeployer) -> dict[str, Any]:
    """Fetch the project, or create it: ``POST /v11/projects``.

    A new project has no framework, because the uploaded output is already built.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :returns: the project, as Vercel describes it.
    """
    body = {"name": settings.project_name}
    return get_or_create(
        lambda: find_project(client, settings),
        lambda: read_object(client.post("/v11/projects", json=body)),
    )


def get_live_id(project: dict[str, Any]) -> str:
    """Return the id of the deployment that has the production domains.

    :param project: the project, as Vercel describes it.
    :returns: the id; empty when there is none.
    """
    return str(((project.get("targets") or {}).get("production") or {}).get("id") or "")


def is_reachable(project: dict[str, Any], *, production: bool) -> bool:
    """Return whether the project's protection allows anonymous requests to a deployment.

    With Standard Protection, only the production domain is public.

    :param project: the project, as Vercel describes it.
    :param production: whether requests use the production domain.
    :returns: whether requests pass.
    """
    protections = [
        (project.get(kind) or {}).get("deploymentType") or ""
        for kind in ("ssoProtection", "passwordProtection")
        if project.get(kind)
    ]
    return not protections or (production and _ALL_DEPLOYMENTS not in protections)


def get_billing_plan(client: httpx.Client, settings: VercelDeployer) -> str:
    """Return the billing plan, from ``GET /v2/teams/{id}`` or ``GET /v2/user``.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :returns: ``hobby``, ``pro`` or ``enterprise``; empty when it is unknown.
    """
    if settings.team_id:
        team = read_object(client.get(f"/v2/teams/{quote_segment(settings.team_id)}"))
        return str((team.get("billing") or {}).get("plan") or "")
    user = read_object(client.get("/v2/user")).get("user") or {}
    return str((user.get("billing") or {}).get("plan") or "")
