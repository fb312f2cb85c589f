"""Traffic in shares, by Vercel's rolling releases (Pro and Enterprise)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError
from mastra_core.pipeline import Deployment, Report
from mastra_deployer_vercel.manage.promotion import move_back, promote
from mastra_deployer_vercel.resources.deployments import deployment_of, find_deployment, stage_of
from mastra_deployer_vercel.resources.project import live_id, need_project
from mastra_deployer_vercel.resources.rolling_release import (
    active_release,
    complete,
    refuse_another,
    release_path,
)
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("canary",)

_ALL = 100


def canary(
    client: httpx.Client, settings: VercelDeployer, id: str, percent: int, report: Report
) -> Deployment:
    """Send a share of production's traffic to a production deployment.

    Stages can only grow: less means ending it (0) and beginning again.

    :raises DeployError: for a preview, for less than it has, while another one is under way.
    """
    project = need_project(client, settings)
    item = find_deployment(client, id)
    if stage_of(item) != "production":
        raise DeployError(
            f"{item['id']} is a preview; only a production deployment takes production's traffic.",
            "Deploy with --prod -s staged=true, then share its traffic.",
        )
    release = active_release(client, settings)
    refuse_another(release, item["id"])
    if percent == 0:
        if release:  # ending it is going back to what is live
            current = (release.get("currentDeployment") or {}).get("id") or live_id(project)
            move_back(client, settings, str(current), report)
        return _with_share(client, settings, item, 0)
    if not release and percent == _ALL:  # everything at once is no release
        return promote(client, settings, id, report)
    if not release:
        release = _start(client, settings, item, percent)
    return _advance(client, settings, item, release, percent)


def _with_share(
    client: httpx.Client, settings: VercelDeployer, item: dict[str, Any], percent: int
) -> Deployment:
    fresh = need_project(client, settings)
    found = deployment_of(item, fresh, settings, live=percent > 0)
    return found if percent == _ALL else dataclasses.replace(found, percent=percent)


def _start(
    client: httpx.Client, settings: VercelDeployer, item: dict[str, Any], percent: int
) -> dict[str, Any]:
    """Two stages, the asked share and everything, each approved by hand:
    ``PATCH /v1/projects/{id}/rolling-release/config``, ``POST .../rolling-release/start``.
    """
    stages = [{"targetPercentage": share} for share in (percent, _ALL)]
    config = {"enabled": True, "advancementType": "manual-approval", "stages": stages}
    again = {"mastra_idempotent": True}
    client.patch(release_path(settings, "/config"), json=config, extensions=again)
    client.post(
        release_path(settings, "/start"), json={"canaryDeploymentId": item["id"]}, extensions=again
    )
    return active_release(client, settings)


def _advance(
    client: httpx.Client,
    settings: VercelDeployer,
    item: dict[str, Any],
    release: dict[str, Any],
    percent: int,
) -> Deployment:
    """To the stage of that share: ``POST .../rolling-release/approve-stage`` or ``/complete``."""
    share = _share(release)
    if percent == _ALL:
        complete(client, settings, item["id"])
    elif percent != share:
        client.post(
            release_path(settings, "/approve-stage"),
            json={
                "nextStageIndex": _stage(release, percent, share),
                "canaryDeploymentId": item["id"],
            },
        )
    return _with_share(client, settings, item, percent)


def _stage(release: dict[str, Any], percent: int, share: int) -> int:
    shares = [int(stage.get("targetPercentage") or 0) for stage in release.get("stages") or []]
    if percent < share or percent not in shares:
        later = ", ".join(str(item) for item in shares if item > share)
        raise DeployError(
            f"This release cannot go from {share} % to {percent} %.",
            f"Its next stages are {later} %; or end it with --percent 0 and begin again.",
        )
    return shares.index(percent)


def _share(release: dict[str, Any]) -> int:
    return int((release.get("activeStage") or {}).get("targetPercentage") or 0)
