"""The active rolling release of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError
from mastra_deployer.kit import read_object
from mastra_deployer_vercel.api import build_project_path
from mastra_deployer_vercel.resources.project import get_live_id, get_project
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = (
    "build_release_path",
    "complete_release",
    "find_active_release",
    "get_canary_id",
    "get_percent",
)

_NOT_FOUND = 404


def find_active_release(client: httpx.Client, settings: VercelDeployer) -> dict[str, Any]:
    """Fetch the active rolling release: ``GET /v1/projects/{id}/rolling-release``.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :returns: the release, as Vercel describes it; empty when there is none.
    """
    response = client.get(
        build_release_path(settings), extensions={"mastra_accept": (402, 403, 404)}
    )
    release: dict[str, Any] = read_object(response).get("rollingRelease") or {}
    return release if release.get("state") == "ACTIVE" else {}


def get_canary_id(release: dict[str, Any]) -> str:
    """Return the id of the deployment that receives a share of the traffic.

    :param release: the release, as Vercel describes it.
    :returns: the id of the canary; empty when no release is active.
    """
    return str((release.get("canaryDeployment") or {}).get("id") or "")


def get_percent(release: dict[str, Any]) -> int:
    """Return the share of the traffic that the canary receives, in percent.

    :param release: the release, as Vercel describes it.
    """
    return int((release.get("activeStage") or {}).get("targetPercentage") or 0)


def complete_release(client: httpx.Client, settings: VercelDeployer, id: str) -> None:
    """Give all traffic to the canary: ``POST /v1/projects/{id}/rolling-release/complete``.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :param id: id of the canary.
    :raises DeployError: when another command has ended the release, and the canary is not live.
    """
    response = client.post(
        build_release_path(settings, "/complete"),
        json={"canaryDeploymentId": id},
        extensions={"mastra_accept": (_NOT_FOUND,)},
    )
    # Another command may have completed the release, too.
    if response.status_code == _NOT_FOUND and get_live_id(get_project(client, settings)) != id:
        raise DeployError(
            f"Another command has ended the rolling release of {id}.",
            "See which deployment is live: mastra deployments vercel.",
        )


def build_release_path(settings: VercelDeployer, suffix: str = "") -> str:
    """Build the path of an endpoint of rolling releases.

    :param settings: settings of the deployer.
    :param suffix: rest of the path, with a leading slash.
    :returns: the path.
    """
    return build_project_path(settings, 1, f"/rolling-release{suffix}")
