"""Which deployment production's users see: promote, go back, share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError, DeploymentFailed
from mastra_core.pipeline import Deployment, Report
from mastra_deployer_vercel.api import project_path
from mastra_deployer_vercel.deploy.create import MARK, announce, wait_until_ready
from mastra_deployer_vercel.resources.deployments import (
    deployment_of,
    find_deployment,
    id_of,
    listed,
    packed_files,
    stage_of,
)
from mastra_deployer_vercel.resources.project import live_id, need_project
from mastra_deployer_vercel.resources.rolling_release import (
    active_release,
    canary_of,
    complete,
    refuse_another,
)
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("move_back", "promote", "rollback")

_PATIENCE = 180.0  # seconds that Vercel's own client waits for domains to move
_SEARCHED = 100


def promote(client: httpx.Client, settings: VercelDeployer, id: str, report: Report) -> Deployment:
    """Make a deployment the live one.

    One that was made for production takes over as it is: ``POST /v10/projects/{id}/promote/{id}``.
    A preview cannot, since it has other variables: the same files are deployed again to
    production, and nothing is sent, for Vercel has them.
    """
    project = need_project(client, settings)
    item = find_deployment(client, id)
    if stage_of(item) != "production":
        return _again(client, settings, project, item, report)
    refuse_another(active_release(client, settings), item["id"])
    if live_id(project) != item["id"]:
        path = project_path(settings, 10, f"/promote/{item['id']}")
        client.post(path, json={}, extensions={"mastra_idempotent": True})
        # Where the project releases by shares, promoting only begins a release.
        if canary_of(active_release(client, settings)) == item["id"]:
            complete(client, settings, item["id"])
        _moved(client, settings, str(item["id"]), report)
    return _live(client, settings, item)


def rollback(client: httpx.Client, settings: VercelDeployer, id: str, report: Report) -> Deployment:
    """``POST /v9/projects/{id}/rollback/{id}``; domains move at once, nothing is built.

    :raises DeployError: when there is nothing to go back to.
    """
    project = need_project(client, settings)
    item = find_deployment(client, id or _before(client, project))
    if stage_of(item) != "production":
        raise DeployError(
            f"{item['id']} is a preview, and was never live.",
            f"Promote it: mastra promote {item['id']}.",
        )
    if live_id(project) != item["id"]:
        move_back(client, settings, str(item["id"]), report)
    return _live(client, settings, item)


def move_back(client: httpx.Client, settings: VercelDeployer, id: str, report: Report) -> None:
    """Have production's domains lead to a deployment that they led to before."""
    path = project_path(settings, 9, f"/rollback/{id}")
    client.post(path, json={}, extensions={"mastra_idempotent": True})
    _moved(client, settings, id, report)


def _before(client: httpx.Client, project: Mapping[str, Any]) -> str:
    """What was live before: as the last move says, else the one made before the live one."""
    live = live_id(dict(project))
    moved = project.get("lastAliasRequest") or {}
    if moved.get("toDeploymentId") == live and moved.get("fromDeploymentId"):
        return str(moved["fromDeploymentId"])
    found = listed(client, project["id"], _SEARCHED, target="production", state="READY")
    ids = [id_of(item) for item in found]
    after = ids[ids.index(live) + 1 :] if live in ids else ids
    if not after:
        raise DeployError(
            "There is no earlier production deployment to go back to.",
            "`mastra deployments` lists what there is.",
        )
    return after[0]


def _moved(client: httpx.Client, settings: VercelDeployer, id: str, report: Report) -> None:
    """Wait until the domains lead to it: ``lastAliasRequest`` of the project."""
    from mastra_deployer.kit import poll

    def look() -> dict[str, Any]:
        return need_project(client, settings)

    def done(project: dict[str, Any]) -> bool:
        request = project.get("lastAliasRequest") or {}
        if request.get("toDeploymentId") != id:
            return live_id(project) == id
        return request.get("jobStatus") in ("succeeded", "failed", "skipped")

    report.step(f"Moving production to {id}")
    found = poll(look, done, timeout=_PATIENCE, every=0.5, what=f"moving production to {id}")
    request = found.get("lastAliasRequest") or {}
    if request.get("toDeploymentId") == id and request.get("jobStatus") == "failed":
        raise DeploymentFailed(
            f"Vercel could not move every domain to {id}.",
            "Look at the project's domains at Vercel, then run it again.",
        )


def _again(
    client: httpx.Client,
    settings: VercelDeployer,
    project: dict[str, Any],
    item: Mapping[str, Any],
    report: Report,
) -> Deployment:
    files, meta = packed_files(item), item.get("meta") or {}
    if not files:
        raise DeployError(
            f"{item['id']} is a preview that was not made by mastra, so its files are not known.",
            "Deploy to production: mastra deploy --prod.",
        )
    kept = {**meta, MARK: f"{id_of(item)} to production"}
    report.step("Deploying the same files to production")
    made = announce(
        client,
        {
            "name": settings.project_name,
            "project": project["id"],
            "files": files,
            "meta": {**kept, "mastraPromoted": str(item["id"])},
            "projectSettings": {"framework": None},
            "target": "production",
        },
    )
    if "error" in made:
        raise DeployError(
            f"Vercel no longer has the files of {item['id']}.",
            "Deploy to production: mastra deploy --prod.",
        )
    plain = dataclasses.replace(settings, staged=False)
    ready = wait_until_ready(client, id_of(made), plain, report)
    return _live(client, settings, ready)


def _live(client: httpx.Client, settings: VercelDeployer, item: Mapping[str, Any]) -> Deployment:
    fresh = find_deployment(client, id_of(item))
    return deployment_of(fresh, need_project(client, settings), settings, live=True)
