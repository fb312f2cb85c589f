"""Read deployments, and convert them to the type of the pipeline."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.pipeline import Deployment, DeployRequest, Stage, State
from mastra_deployer.kit import DeploymentTags, find_object, quote_segment, require_deployed
from mastra_deployer_netlify.resources.lists import iter_objects
from mastra_deployer_netlify.resources.site import get_published_id

if TYPE_CHECKING:
    import httpx

__all__ = (
    "FAILED_STATES",
    "build_title",
    "get_deployment",
    "get_stage",
    "iter_deployments",
    "to_deployment",
)

FAILED_STATES = ("error", "rejected", "deleted")
_STAGES: Mapping[str, Stage] = {"production": "production", "preview": "preview"}


def iter_deployments(
    client: httpx.Client, site: Mapping[str, Any], limit: int
) -> Iterator[dict[str, Any]]:
    """Yield the deployments of a site, newest first: ``GET /sites/{id}/deploys``.

    :param client: client of Netlify's API.
    :param site: the site, as Netlify describes it.
    :param limit: how many deployments to yield at most.
    :returns: the deployments, as Netlify describes them.
    """
    return iter_objects(client, f"/sites/{quote_segment(site['id'])}/deploys", limit)


def get_deployment(client: httpx.Client, site: Mapping[str, Any], id: str) -> dict[str, Any]:
    """Fetch one deployment: ``GET /sites/{site_id}/deploys/{id}``.

    :param client: client of Netlify's API.
    :param site: the site, as Netlify describes it.
    :param id: id of the deployment.
    :returns: the deployment, as Netlify describes it.
    :raises DeployError: when there is no such deployment.
    """
    item = find_object(client, f"/sites/{quote_segment(site['id'])}/deploys/{quote_segment(id)}")
    is_own = item is not None and item.get("site_id", site["id"]) == site["id"]
    return require_deployed(
        item if is_own else None,
        f"The Netlify site {site.get('name')!r} has no deployment {id!r}.",
        "List the deployments of the site: mastra deployments netlify.",
    )


def build_title(request: DeployRequest) -> str:
    """Return the title of a deployment, the only text that Netlify stores with a deployment.

    :param request: options of the deploy.
    :returns: the message, and the tags that ``to_deployment`` reads.
    """
    tags = DeploymentTags.from_request(request)
    return dataclasses.replace(tags, stage=request.environment).to_text()


def get_stage(item: Mapping[str, Any]) -> Stage:
    """Return the stage of a deployment, from its title or else from its context.

    Netlify does not document which context a draft gets.

    :param item: the deployment, as Netlify describes it.
    :returns: ``production`` or ``preview``.
    """
    tags = DeploymentTags.from_text(str(item.get("title") or ""))
    default: Stage = "production" if item.get("context") == "production" else "preview"
    return _STAGES.get(tags.stage, default)


def to_deployment(item: Mapping[str, Any], site: Mapping[str, Any]) -> Deployment:
    """Convert a deployment of Netlify to the pipeline's type.

    :param item: the deployment, as Netlify describes it.
    :param site: the deployment's site, as Netlify describes it.
    :returns: the deployment.
    """
    stage, state = get_stage(item), _to_state(item)
    tags = DeploymentTags.from_text(str(item.get("title") or ""))
    is_published = get_published_id(site) == item["id"]
    permalink = item.get("deploy_ssl_url") or item.get("deploy_url")
    url = (site.get("ssl_url") or site.get("url")) if is_published else permalink
    return Deployment(
        target="netlify",
        id=str(item["id"]),
        url=str(url or ""),
        environment=stage,
        created=_parse_time(item.get("created_at")),
        live=is_published if stage == "production" else state == "ready",
        state=state,
        branch=tags.branch,
        message=tags.message,
        commit=tags.commit or str(item.get("commit_ref") or ""),
        fingerprint=tags.fingerprint,
        draft=bool(item.get("draft")) and not (is_published or item.get("published_at")),
        next=_list_next_steps(item),
    )


def _to_state(item: Mapping[str, Any]) -> State:
    """Return the state; an unknown state counts as building."""
    state = item.get("state")
    if state == "ready":
        return "ready"
    return "failed" if state in FAILED_STATES else "building"


def _parse_time(text: object) -> dt.datetime:
    """Parse a time; return 1970 for a missing time."""
    try:
        time = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return dt.datetime.fromtimestamp(0, dt.UTC)
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def _list_next_steps(item: Mapping[str, Any]) -> tuple[str, ...]:
    page = item.get("admin_url")
    return (f"Inspect it: {page}/deploys/{item['id']}",) if page else ()
