"""The project an app is deployed to: found by its name, else made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError
from mastra_deployer_vercel.api import build_project_path, read_object
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

_ALL_DEPLOYMENTS = "all"  # of deploymentType: production's own domain is protected too


def find_project(client: httpx.Client, settings: VercelDeployer) -> dict[str, Any] | None:
    """The project, or ``None``: ``GET /v9/projects/{name}``."""
    response = client.get(
        build_project_path(settings),
        params={**dict(client.params), "rollbackInfo": "true"},
        extensions={"mastra_accept": (404,)},
    )
    return None if response.status_code == 404 else read_object(response)  # noqa: PLR2004  # Not Found


def get_project(client: httpx.Client, settings: VercelDeployer) -> dict[str, Any]:
    """The project.

    :raises DeployError: when it is not there.
    """
    project = find_project(client, settings)
    if project is None:
        raise DeployError(
            f"Vercel has no project {settings.project_name!r} in this scope.",
            "Deploy first, or check project_name and team_id.",
        )
    return project


def get_or_create_project(client: httpx.Client, settings: VercelDeployer) -> dict[str, Any]:
    """The project, made where it is not there: ``POST /v11/projects``.

    A project made so has no framework, and none is wanted: what is uploaded is built already.
    """
    from mastra_deployer.kit import get_or_create

    body = {"name": settings.project_name}
    return get_or_create(
        lambda: find_project(client, settings),
        lambda: read_object(client.post("/v11/projects", json=body)),
    )


def get_live_id(project: dict[str, Any]) -> str:
    """The deployment that production's domains lead to; empty where there is none."""
    return str(((project.get("targets") or {}).get("production") or {}).get("id") or "")


def is_reachable(project: dict[str, Any], *, production: bool) -> bool:
    """Whether anybody may ask a deployment, as the project's protection stands.

    Standard Protection leaves production's own domain open and nothing else.
    """
    protections = [
        (project.get(kind) or {}).get("deploymentType") or ""
        for kind in ("ssoProtection", "passwordProtection")
        if project.get(kind)
    ]
    return not protections or (production and _ALL_DEPLOYMENTS not in protections)


def get_billing_plan(client: httpx.Client, settings: VercelDeployer) -> str:
    """``hobby``, ``pro`` or ``enterprise``; ``GET /v2/teams/{id}``, else ``GET /v2/user``."""
    if settings.team_id:
        team = read_object(client.get(f"/v2/teams/{settings.team_id}"))
        return str((team.get("billing") or {}).get("plan") or "")
    user = read_object(client.get("/v2/user")).get("user") or {}
    return str((user.get("billing") or {}).get("plan") or "")
