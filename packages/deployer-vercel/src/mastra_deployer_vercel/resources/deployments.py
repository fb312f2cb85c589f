"""Read deployments, and convert them to the type of the pipeline."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.pipeline import Deployment, Stage, State
from mastra_deployer.kit import (
    DeploymentTags,
    find_object,
    quote_segment,
    read_object,
    require_deployed,
)
from mastra_deployer_vercel.api import to_url
from mastra_deployer_vercel.resources.project import get_live_id, is_reachable
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = (
    "FAILED_STATES",
    "TAG_FIELDS",
    "find_deployment",
    "get_archive_parts",
    "get_deployment",
    "get_id",
    "get_stage",
    "get_state",
    "is_draft",
    "iter_deployments",
    "to_deployment",
)

FAILED_STATES = ("ERROR", "CANCELED", "BLOCKED", "DELETED")
TAG_FIELDS = "mastra{Name}"  # names of our fields in a deployment's metadata
_PAGE = 100


def iter_deployments(
    client: httpx.Client, project_id: str, limit: int, **filters: str
) -> Iterator[dict[str, Any]]:
    """Yield the deployments of a project, newest first, in pages: ``GET /v6/deployments``.

    :param client: client of Vercel's API.
    :param project_id: id of the project.
    :param limit: how many deployments to yield at most.
    :param filters: further query parameters, such as ``state`` or ``target``.
    :returns: the deployments, as Vercel describes them.
    """
    query: dict[str, Any] = {**dict(client.params), "projectId": project_id, **filters}
    while limit > 0:
        query["limit"] = min(limit, _PAGE)
        response = read_object(client.get("/v6/deployments", params=query))
        page = response.get("deployments") or []
        yield from page[:limit]
        limit -= len(page)
        after = (response.get("pagination") or {}).get("next")
        if not page or not after:
            return
        query["until"] = after


def find_deployment(
    client: httpx.Client, project: Mapping[str, Any], id: str
) -> dict[str, Any] | None:
    """Fetch one deployment of a project: ``GET /v13/deployments/{id}``.

    Vercel returns the deployment even if it belongs to another project. The function ignores such a
    deployment, because its files must not become live in this project.

    :param client: client of Vercel's API.
    :param project: the project, as Vercel describes it.
    :param id: id or host of the deployment.
    :returns: the deployment, as Vercel describes it, or ``None``.
    """
    item = find_object(client, f"/v13/deployments/{quote_segment(id)}")
    return item if item is not None and item.get("projectId") == project["id"] else None


def get_deployment(client: httpx.Client, project: Mapping[str, Any], id: str) -> dict[str, Any]:
    """Fetch one deployment of a project: ``GET /v13/deployments/{id}``.

    :param client: client of Vercel's API.
    :param project: the project, as Vercel describes it.
    :param id: id or host of the deployment.
    :returns: the deployment, as Vercel describes it.
    :raises DeployError: when the project has no such deployment.
    """
    return require_deployed(
        find_deployment(client, project, id),
        f"The Vercel project {project.get('name')!r} has no deployment {id!r}.",
        "List the deployments of the project: mastra deployments vercel.",
    )


def get_id(item: Mapping[str, Any]) -> str:
    """Return the id of a deployment, which is called ``uid`` in lists.

    :param item: the deployment, as Vercel describes it.
    :returns: the id.
    """
    return str(item.get("id") or item.get("uid"))


def get_stage(item: Mapping[str, Any]) -> Stage:
    """Return the stage of a deployment: production, or else preview.

    :param item: the deployment, as Vercel describes it.
    :returns: ``production`` or ``preview``.
    """
    return "production" if item.get("target") == "production" else "preview"


def is_draft(item: Mapping[str, Any]) -> bool:
    """Return whether a production deployment never received the production domains.

    :param item: the deployment, as Vercel describes it.
    """
    return get_stage(item) == "production" and item.get("readySubstate") == "STAGED"


def get_archive_parts(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the archive parts of a deployment, from the metadata that ``deploy`` sets.

    :param item: the deployment, as Vercel describes it.
    :returns: entries of ``files[]``; empty for a deployment of another tool.
    """
    try:
        files = json.loads((item.get("meta") or {}).get("mastraFiles") or "[]")
    except ValueError:
        return []
    return files if isinstance(files, list) else []


def to_deployment(
    item: Mapping[str, Any],
    project: dict[str, Any],
    settings: VercelDeployer,
    *,
    live: bool | None = None,
) -> Deployment:
    """Convert a deployment of Vercel to the pipeline's type.

    :param item: the deployment, as Vercel describes it.
    :param project: the deployment's project, as Vercel describes it.
    :param settings: settings of the deployer.
    :param live: whether the deployment is live; ``None`` to read this from ``project``.
    :returns: the deployment.
    """
    stage, state, meta = get_stage(item), get_state(item), item.get("meta") or {}
    tags = DeploymentTags.from_fields(meta, TAG_FIELDS)
    if live is None:
        live = get_live_id(project) == get_id(item) if stage == "production" else state == "ready"
    alias = item.get("alias") or []
    host = str(alias[0] if alias and (live or stage == "preview") else item.get("url") or "")
    headers = {"x-vercel-protection-bypass": settings.bypass} if settings.bypass else {}
    created = item.get("createdAt") or item.get("created") or 0
    return Deployment(
        target="vercel",
        id=get_id(item),
        url=to_url(host),
        environment=stage,
        created=dt.datetime.fromtimestamp(int(created) / 1000, dt.UTC),
        live=live,
        state=state,
        branch=tags.branch or str(meta.get("gitCommitRef") or ""),
        message=tags.message,
        commit=str(meta.get("gitCommitSha") or ""),
        fingerprint=tags.fingerprint,
        reachable=is_reachable(project, production=stage == "production" and live),
        smoke_headers=headers,
        draft=not live and is_draft(item),
        next=_list_next_steps(item),
    )


def get_state(item: Mapping[str, Any]) -> State:
    """Return the state of a deployment; an unknown state counts as building.

    :param item: the deployment, as Vercel describes it.
    """
    value = item.get("readyState") or item.get("state") or item.get("status")
    if value == "READY":
        return "ready"
    return "failed" if value in FAILED_STATES else "building"


def _list_next_steps(item: Mapping[str, Any]) -> tuple[str, ...]:
    inspector = item.get("inspectorUrl")
    return (f"Inspect it: {inspector}",) if inspector else ()
