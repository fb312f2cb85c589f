"""Change the live deployment: promote and roll back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError, DeploymentFailed
from mastra_core.pipeline import Deployment, Report
from mastra_deployer.kit import find_rollback_target, poll, quote_segment, refuse_other_canary
from mastra_deployer_vercel.api import build_project_path
from mastra_deployer_vercel.deploy.create import MARK_KEY, request_deployment, wait_until_ready
from mastra_deployer_vercel.resources.deployments import (
    find_deployment,
    get_archive_parts,
    get_deployment,
    get_id,
    get_stage,
    get_state,
    is_draft,
    iter_deployments,
    to_deployment,
)
from mastra_deployer_vercel.resources.project import get_live_id, get_project
from mastra_deployer_vercel.resources.rolling_release import (
    complete_release,
    find_active_release,
    get_canary_id,
)
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("promote", "roll_back_to", "rollback")

_MOVE_TIMEOUT = 180.0  # seconds; the timeout of Vercel's own client
_SEARCH_LIMIT = 100


def promote(client: httpx.Client, settings: VercelDeployer, id: str, report: Report) -> Deployment:
    """Make a deployment live: ``POST /v10/projects/{project}/promote/{id}``.

    A production deployment is promoted unchanged. A preview has other variables than production, so
    its files are deployed again to production. Vercel already has the files of a preview.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :param id: id of the deployment.
    :param report: receives progress.
    :returns: the deployment that is live now.
    :raises DeployError: if the deployment does not exist or is not ready, or if another deployment
        is a canary.
    """
    project = get_project(client, settings)
    item: Mapping[str, Any] = get_deployment(client, project, id)
    _require_ready(item)
    release = find_active_release(client, settings)
    refuse_other_canary(get_id(item), get_canary_id(release))
    if get_stage(item) != "production":
        item = _redeploy_to_production(client, settings, project, item, report)
        project, release = get_project(client, settings), find_active_release(client, settings)
    if release or get_live_id(project) != get_id(item):
        _move_production(client, settings, get_id(item), release, report)
    return _to_live_deployment(client, settings, item)


def _require_ready(item: Mapping[str, Any]) -> None:
    if (state := get_state(item)) != "ready":
        raise DeployError(
            f"{get_id(item)} cannot become live, because its state is {state!r}.",
            "Wait until the deployment is ready, or deploy again.",
        )


def _move_production(
    client: httpx.Client, settings: VercelDeployer, id: str, release: dict[str, Any], report: Report
) -> None:
    """Give a production deployment all of the traffic."""
    if not release:
        path = build_project_path(settings, 10, f"/promote/{quote_segment(id)}")
        client.post(path, json={}, extensions={"mastra_idempotent": True})
        # In a project with rolling releases, promoting only starts a release.
        release = find_active_release(client, settings)
    if get_canary_id(release) == id:  # a promotion would wait behind this release
        complete_release(client, settings, id)
    _wait_for_domains(client, settings, id, report)


def rollback(client: httpx.Client, settings: VercelDeployer, id: str, report: Report) -> Deployment:
    """Move the domains to an earlier deployment: ``POST /v9/projects/{project}/rollback/{id}``.

    If a rolling release is active, the rollback ends it first.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :param id: id of the deployment to go back to; if empty, the previous deployment or, while there
        is a canary, the live deployment.
    :param report: receives progress.
    :returns: the deployment that is live now.
    :raises DeployError: when there is no deployment to go back to.
    """
    project, release = get_project(client, settings), find_active_release(client, settings)
    item = find_rollback_target(
        id,
        lambda: get_live_id(project) if release else _find_previous(client, project),
        functools.partial(get_deployment, client, project),
        was_live=lambda each: not is_draft(each),
    )
    if get_stage(item) != "production":
        raise DeployError(
            f"{item['id']} is a preview that was never live, so a rollback to it is not possible.",
            f"Promote it: mastra promote {item['id']}.",
        )
    _require_ready(item)
    if release:  # a rollback to the live deployment ends it
        roll_back_to(client, settings, get_live_id(project), report)
    if get_live_id(project) != item["id"]:
        roll_back_to(client, settings, str(item["id"]), report)
    return _to_live_deployment(client, settings, item)


def roll_back_to(client: httpx.Client, settings: VercelDeployer, id: str, report: Report) -> None:
    """Move the domains to a deployment that was live before, and wait until this is done.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :param id: id of the deployment.
    :param report: receives progress.
    :raises DeploymentFailed: when Vercel could not move every domain.
    """
    path = build_project_path(settings, 9, f"/rollback/{quote_segment(id)}")
    client.post(path, json={}, extensions={"mastra_idempotent": True})
    _wait_for_domains(client, settings, id, report)


def _find_previous(client: httpx.Client, project: Mapping[str, Any]) -> str:
    """Return the deployment that was live before the present one; empty if there is none.

    The project's last move of the domains names the previous deployment. If Vercel recorded no move
    of the domains, the previous deployment is the next older production deployment.
    """
    live = get_live_id(dict(project))
    last_request = project.get("lastAliasRequest") or {}
    previous = str(last_request.get("fromDeploymentId") or "")
    has_moved = previous and last_request.get("toDeploymentId") == live
    # The previous deployment may have been deleted.
    if has_moved and find_deployment(client, project, previous):
        return previous
    # Drafts were never live, so they are no candidates.
    filters = {"target": "production", "state": "READY", "rollbackCandidate": "true"}
    items = iter_deployments(client, project["id"], _SEARCH_LIMIT, **filters)
    ids = [get_id(item) for item in items]
    earlier = ids[ids.index(live) + 1 :] if live in ids else ids
    return earlier[0] if earlier else ""


def _wait_for_domains(
    client: httpx.Client, settings: VercelDeployer, id: str, report: Report
) -> None:
    """Poll ``lastAliasRequest`` of the project until the domains have moved."""

    def fetch() -> dict[str, Any]:
        return get_project(client, settings)

    def is_done(project: dict[str, Any]) -> bool:
        request = project.get("lastAliasRequest") or {}
        if request.get("toDeploymentId") != id:
            return get_live_id(project) == id
        return request.get("jobStatus") in ("succeeded", "failed", "skipped")

    report.step(f"Moving production to {id}")
    final_project = poll(
        fetch,
        is_done,
        timeout=_MOVE_TIMEOUT,
        interval=0.5,
        description=f"moving production to {id}",
    )
    request = final_project.get("lastAliasRequest") or {}
    if request.get("toDeploymentId") == id and request.get("jobStatus") == "failed":
        raise DeploymentFailed(
            f"Vercel could not move every domain to {id}.",
            "Check the project's domains at Vercel. Then run the same command again.",
        )


def _redeploy_to_production(
    client: httpx.Client,
    settings: VercelDeployer,
    project: dict[str, Any],
    item: Mapping[str, Any],
    report: Report,
) -> dict[str, Any]:
    """Deploy the files of a preview to production, and return the ready deployment."""
    files, meta = get_archive_parts(item), item.get("meta") or {}
    if not files:
        raise DeployError(
            f"{item['id']} was not deployed by mastra, so its files are unknown.",
            "Deploy again: mastra deploy --prod.",
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
            f"Vercel no longer has the files of the deployment {item['id']}.",
            "Deploy to production: mastra deploy --prod.",
        )
    unstaged_settings = dataclasses.replace(settings, staged=False)
    return wait_until_ready(client, get_id(result), unstaged_settings, report)


def _to_live_deployment(
    client: httpx.Client, settings: VercelDeployer, item: Mapping[str, Any]
) -> Deployment:
    project = get_project(client, settings)
    current = get_deployment(client, project, get_id(item))
    return to_deployment(current, project, settings, live=True)
