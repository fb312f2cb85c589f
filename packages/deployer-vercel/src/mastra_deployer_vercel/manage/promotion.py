"""Which deployment production's users see: promote, go back, share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError, DeploymentFailed
from mastra_core.pipeline import Deployment, Report
from mastra_deployer_vercel.api import build_project_path
from mastra_deployer_vercel.deploy.create import MARK_KEY, request_deployment, wait_until_ready
from mastra_deployer_vercel.resources.deployments import (
    find_deployment,
    get_archive_parts,
    get_id,
    get_stage,
    iter_deployments,
    to_deployment,
)
from mastra_deployer_vercel.resources.project import get_live_id, get_project
from mastra_deployer_vercel.resources.rolling_release import (
    complete_release,
    find_active_release,
    get_canary_id,
    raise_for_other_canary,
)
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("promote", "roll_back_to", "rollback")

_MOVE_TIMEOUT = 180.0  # seconds that Vercel's own client waits for domains to move
_SEARCH_LIMIT = 100


def promote(client: httpx.Client, settings: VercelDeployer, id: str, report: Report) -> Deployment:
    """Make a deployment the live one.

    One that was made for production takes over as it is: ``POST /v10/projects/{id}/promote/{id}``.
    A preview cannot, since it has other variables: the same files are deployed again to
    production, and nothing is sent, for Vercel has them.
    """
    project = get_project(client, settings)
    item = find_deployment(client, id)
    if get_stage(item) != "production":
        return _redeploy_to_production(client, settings, project, item, report)
    raise_for_other_canary(find_active_release(client, settings), item["id"])
    if get_live_id(project) != item["id"]:
        path = build_project_path(settings, 10, f"/promote/{item['id']}")
        client.post(path, json={}, extensions={"mastra_idempotent": True})
        # Where the project releases by shares, promoting only begins a release.
        if get_canary_id(find_active_release(client, settings)) == item["id"]:
            complete_release(client, settings, item["id"])
        _wait_for_domains(client, settings, str(item["id"]), report)
    return _to_live_deployment(client, settings, item)


def rollback(client: httpx.Client, settings: VercelDeployer, id: str, report: Report) -> Deployment:
    """``POST /v9/projects/{id}/rollback/{id}``; domains move at once, nothing is built.

    :raises DeployError: when there is nothing to go back to.
    """
    project = get_project(client, settings)
    item = find_deployment(client, id or _find_previous(client, project))
    if get_stage(item) != "production":
        raise DeployError(
            f"{item['id']} is a preview, and was never live.",
            f"Promote it: mastra promote {item['id']}.",
        )
    if get_live_id(project) != item["id"]:
        roll_back_to(client, settings, str(item["id"]), report)
    return _to_live_deployment(client, settings, item)


def roll_back_to(client: httpx.Client, settings: VercelDeployer, id: str, report: Report) -> None:
    """Have production's domains lead to a deployment that they led to before."""
    path = build_project_path(settings, 9, f"/rollback/{id}")
    client.post(path, json={}, extensions={"mastra_idempotent": True})
    _wait_for_domains(client, settings, id, report)


def _find_previous(client: httpx.Client, project: Mapping[str, Any]) -> str:
    """What was live before: as the last move says, else the one made before the live one."""
    live = get_live_id(dict(project))
    last_request = project.get("lastAliasRequest") or {}
    if last_request.get("toDeploymentId") == live and last_request.get("fromDeploymentId"):
        return str(last_request["fromDeploymentId"])
    items = iter_deployments(
        client, project["id"], _SEARCH_LIMIT, target="production", state="READY"
    )
    ids = [get_id(item) for item in items]
    earlier = ids[ids.index(live) + 1 :] if live in ids else ids
    if not earlier:
        raise DeployError(
            "There is no earlier production deployment to go back to.",
            "`mastra deployments` lists what there is.",
        )
    return earlier[0]


def _wait_for_domains(
    client: httpx.Client, settings: VercelDeployer, id: str, report: Report
) -> None:
    """Wait until the domains lead to it: ``lastAliasRequest`` of the project."""
    from mastra_deployer.kit import poll

    def fetch() -> dict[str, Any]:
        return get_project(client, settings)

    def is_done(project: dict[str, Any]) -> bool:
        request = project.get("lastAliasRequest") or {}
        if request.get("toDeploymentId") != id:
            return get_live_id(project) == id
        return request.get("jobStatus") in ("succeeded", "failed", "skipped")

    report.step(f"Moving production to {id}")
    found = poll(
        fetch, is_done, timeout=_MOVE_TIMEOUT, every=0.5, what=f"moving production to {id}"
    )
    request = found.get("lastAliasRequest") or {}
    if request.get("toDeploymentId") == id and request.get("jobStatus") == "failed":
        raise DeploymentFailed(
            f"Vercel could not move every domain to {id}.",
            "Look at the project's domains at Vercel, then run it again.",
        )


def _redeploy_to_production(
    client: httpx.Client,
    settings: VercelDeployer,
    project: dict[str, Any],
    item: Mapping[str, Any],
    report: Report,
) -> Deployment:
    files, meta = get_archive_parts(item), item.get("meta") or {}
    if not files:
        raise DeployError(
            f"{item['id']} is a preview that was not made by mastra, so its files are not known.",
            "Deploy to production: mastra deploy --prod.",
        )
    new_meta = {**meta, MARK_KEY: f"{get_id(item)} to production"}
    report.step("Deploying the same files to production")
    result = request_deployment(
        client,
        {
            "name": settings.project_name,
            "project": project["id"],
            "files": files,
            "meta": {**new_meta, "mastraPromoted": str(item["id"])},
            "projectSettings": {"framework": None},
            "target": "production",
        },
    )
    if "error" in result:
        raise DeployError(
            f"Vercel no longer has the files of {item['id']}.",
            "Deploy to production: mastra deploy --prod.",
        )
    unstaged = dataclasses.replace(settings, staged=False)
    ready = wait_until_ready(client, get_id(result), unstaged, report)
    return _to_live_deployment(client, settings, ready)


def _to_live_deployment(
    client: httpx.Client, settings: VercelDeployer, item: Mapping[str, Any]
) -> Deployment:
    current = find_deployment(client, get_id(item))
    return to_deployment(current, get_project(client, settings), settings, live=True)
