"""The rolling release that is under way in a project, where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError
from mastra_deployer_vercel.api import fields, project_path
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("active_release", "canary_of", "complete", "refuse_another", "release_path")


def active_release(client: httpx.Client, settings: VercelDeployer) -> dict[str, Any]:
    """``GET /v1/projects/{id}/rolling-release``; empty for none, or a plan without."""
    answer = client.get(release_path(settings), extensions={"mastra_accept": (402, 403, 404)})
    found: dict[str, Any] = fields(answer).get("rollingRelease") or {}
    return found if found.get("state") == "ACTIVE" else {}


def canary_of(release: dict[str, Any]) -> str:
    """The deployment that has a share; empty where there is no release."""
    return str((release.get("canaryDeployment") or {}).get("id") or "")


def refuse_another(release: dict[str, Any], id: str) -> None:
    """Nothing where no release is under way, or that of this deployment.

    :raises DeployError: while another deployment has a share.
    """
    other = canary_of(release)
    if other not in ("", id):
        raise DeployError(
            f"Another deployment, {other}, has a share of the traffic now.",
            f"End that first: mastra canary {other} --percent 0.",
        )


def complete(client: httpx.Client, settings: VercelDeployer, id: str) -> None:
    """Give it all of the traffic: ``POST .../rolling-release/complete``."""
    client.post(release_path(settings, "/complete"), json={"canaryDeploymentId": id})


def release_path(settings: VercelDeployer, rest: str = "") -> str:
    """``/v1/projects/NAME/rolling-release`` and what follows."""
    return project_path(settings, 1, f"/rolling-release{rest}")
