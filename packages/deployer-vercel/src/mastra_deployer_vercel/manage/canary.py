"""Split production traffic with Vercel's rolling releases (plans Pro and Enterprise)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError
from mastra_core.pipeline import Deployment, Report
from mastra_deployer.kit import refuse_live_canary, refuse_other_canary
from mastra_deployer_vercel.manage.promotion import promote, roll_back_to
from mastra_deployer_vercel.resources.deployments import get_deployment, get_stage, to_deployment
from mastra_deployer_vercel.resources.project import get_live_id, get_project
from mastra_deployer_vercel.resources.rolling_release import (
    build_release_path,
    complete_release,
    find_active_release,
    get_canary_id,
    get_percent,
)
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("set_canary",)

_ALL = 100


def set_canary(
    client: httpx.Client, settings: VercelDeployer, id: str, percent: int, report: Report
) -> Deployment:
    """Send a share of the production traffic to a production deployment.

    The share of a canary can only grow. To reduce the share, end the release with 0, and start a
    new release.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :param id: id of the deployment.
    :param percent: share of the traffic in percent; 0 ends the release, 100 completes it.
    :param report: receives progress.
    :returns: the deployment with its share of the traffic.
    :raises DeployError: if the deployment is a preview or live, if the share would become smaller,
        or if another deployment is a canary.
    """
    project = get_project(client, settings)
    item, live_id = get_deployment(client, project, id), get_live_id(project)
    if get_stage(item) != "production":
        raise DeployError(
            f"{item['id']} is a preview. Only production deployments can receive production "
            "traffic.",
            "Deploy with --prod --no-promote. Then pass the id of the new deployment to mastra "
            "canary.",
        )
    release = find_active_release(client, settings)
    refuse_other_canary(item["id"], get_canary_id(release))
    if not release and percent == _ALL:  # 100 % at once is a promotion
        return promote(client, settings, id, report)
    refuse_live_canary(item["id"], live_id)
    if percent == 0:
        if release:  # a rollback to the current deployment ends the release
            current = (release.get("currentDeployment") or {}).get("id") or live_id
            roll_back_to(client, settings, str(current), report)
        return _to_deployment(client, settings, item, 0)
    if not release:
        release = _start_release(client, settings, item, percent)
    return _advance_release(client, settings, item, release, percent)


def _to_deployment(
    client: httpx.Client, settings: VercelDeployer, item: dict[str, Any], percent: int
) -> Deployment:
    project = get_project(client, settings)
    deployment = to_deployment(item, project, settings, live=percent == _ALL)
    return dataclasses.replace(deployment, percent=percent) if 0 < percent < _ALL else deployment


def _start_release(
    client: httpx.Client, settings: VercelDeployer, item: dict[str, Any], percent: int
) -> dict[str, Any]:
    """Start a rolling release with two stages, ``percent`` and 100 %; each needs an approval.

    ``PATCH /v1/projects/{id}/rolling-release/config``, ``POST .../rolling-release/start``.
    """
    stages = [{"targetPercentage": share} for share in (percent, _ALL)]
    config = {"enabled": True, "advancementType": "manual-approval", "stages": stages}
    extensions = {"mastra_idempotent": True}
    client.patch(build_release_path(settings, "/config"), json=config, extensions=extensions)
    client.post(
        build_release_path(settings, "/start"),
        json={"canaryDeploymentId": item["id"]},
        extensions=extensions,
    )
    return find_active_release(client, settings)


def _advance_release(
    client: httpx.Client,
    settings: VercelDeployer,
    item: dict[str, Any],
    release: dict[str, Any],
    percent: int,
) -> Deployment:
    """Set the share of a release: ``POST .../rolling-release/approve-stage``, ``/complete``."""
    share = get_percent(release)
    if percent == _ALL:
        complete_release(client, settings, item["id"])
    elif percent != share:
        client.post(
            build_release_path(settings, "/approve-stage"),
            json={
                "nextStageIndex": _find_stage_index(release, percent, share),
                "canaryDeploymentId": item["id"],
            },
        )
    return _to_deployment(client, settings, item, percent)


def _find_stage_index(release: dict[str, Any], percent: int, share: int) -> int:
    shares = [int(stage.get("targetPercentage") or 0) for stage in release.get("stages") or []]
    if percent < share or percent not in shares:
        later = ", ".join(str(item) for item in shares if item > share)
        raise DeployError(
            f"The share of the new deployment cannot change from {share} % to {percent} %.",
            f"Pass the percentage of a later stage: {later}. Or end the release with --percent 0, "
            "and start again.",
        )
    return shares.index(percent)
