"""The rolling release that is under way in a project, where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError
from mastra_deployer_vercel.api import build_project_path, read_object
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = (
    "build_release_path",
    "complete_release",
    "find_active_release",
    "get_canary_id",
    "raise_for_other_canary",
)


def find_active_release(client: httpx.Client, settings: VercelDeployer) -> dict[str, Any]:
    """``GET /v1/projects/{id}/rolling-release``; empty for none, or a plan without."""
    response = client.get(
        build_release_path(settings), extensions={"mastra_accept": (402, 403, 404)}
    )
    release: dict[str, Any] = read_object(response).get("rollingRelease") or {}
    return release if release.get("state") == "ACTIVE" else {}


def get_canary_id(release: dict[str, Any]) -> str:
    """The deployment that has a share; empty where there is no release."""
    return str((release.get("canaryDeployment") or {}).get("id") or "")


def raise_for_other_canary(release: dict[str, Any], id: str) -> None:
    """Nothing where no release is under way, or that of this deployment.

    :raises DeployError: while another deployment has a share.
    """
    canary_id = get_canary_id(release)
    if canary_id not in ("", id):
        raise DeployError(
            f"Another deployment, {canary_id}, has a share of the traffic now.",
            f"End that first: mastra canary {canary_id} --percent 0.",
        )


def complete_release(client: httpx.Client, settings: VercelDeployer, id: str) -> None:
    """Give it all of the traffic: ``POST .../rolling-release/complete``."""
    client.post(build_release_path(settings, "/complete"), json={"canaryDeploymentId": id})


def build_release_path(settings: VercelDeployer, suffix: str = "") -> str:
    """``/v1/projects/NAME/rolling-release`` and what follows."""
    return build_project_path(settings, 1, f"/rolling-release{suffix}")
