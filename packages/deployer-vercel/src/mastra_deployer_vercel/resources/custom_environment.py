"""Find the custom environment for a project's previews, which Vercel's paid plans allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_deployer.kit import find_object, require_deployed
from mastra_deployer_vercel.api import build_project_path
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("get_environment_id",)


def get_environment_id(client: httpx.Client, settings: VercelDeployer) -> str:
    """Return the id of the custom environment: ``GET /v9/projects/{name}/custom-environments``.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer; ``custom_environment`` is a slug or an id.
    :raises DeployError: when the project has no such environment.
    """
    wanted = settings.custom_environment
    path = build_project_path(settings, suffix="/custom-environments")
    items = (find_object(client, path) or {}).get("environments") or ()
    found: dict[str, Any] = next(
        (item for item in items if wanted in (item["slug"], item["id"])), {}
    )
    slugs = ", ".join(repr(item["slug"]) for item in items) or "none"
    return require_deployed(
        str(found.get("id") or ""),
        f"The Vercel project {settings.project_name!r} has no custom environment {wanted!r}.",
        f"Create it in the project's settings at Vercel, or correct custom_environment. The "
        f"project's custom environments are: {slugs}.",
    )
