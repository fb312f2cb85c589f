"""Change the published deployment: promote and roll back."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError
from mastra_core.pipeline import Deployment, Report
from mastra_deployer.kit import find_rollback_target, poll, quote_segment
from mastra_deployer_netlify.resources.deployments import (
    get_deployment,
    get_stage,
    iter_deployments,
    to_deployment,
)
from mastra_deployer_netlify.resources.site import (
    fetch_site,
    find_production_block,
    get_published_id,
    get_site,
)
from mastra_deployer_netlify.settings import NetlifyDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("promote", "rollback")

_TIMEOUT = 120.0  # seconds until the site serves another deployment
_SEARCH_LIMIT = 100


def promote(client: httpx.Client, settings: NetlifyDeployer, id: str, report: Report) -> Deployment:
    """Publish a deployment: ``POST /sites/{site_id}/deploys/{id}/restore``.

    A preview is refused, because its variables have the values for previews. The files of a preview
    cannot be deployed again to production, because Netlify does not return the digests of
    functions.

    :param client: client of Netlify's API.
    :param settings: settings of the deployer.
    :param id: id of the deployment.
    :param report: receives progress.
    :returns: the deployment that is live now.
    :raises DeployError: if the deployment does not exist, is a preview or is not ready, or if the
        site is locked.
    """
    site = get_site(client, settings)
    return _publish(client, site, get_deployment(client, site, id), report)


def rollback(
    client: httpx.Client, settings: NetlifyDeployer, id: str, report: Report
) -> Deployment:
    """Publish an earlier deployment again: ``POST /sites/{site_id}/deploys/{id}/restore``.

    :param client: client of Netlify's API.
    :param settings: settings of the deployer.
    :param id: id of the deployment to go back to; empty for the one that was live before.
    :param report: receives progress.
    :returns: the deployment that is live now.
    :raises DeployError: when there is no deployment to go back to, or when that deployment is a
        preview.
    """
    site = get_site(client, settings)
    item = find_rollback_target(
        id,
        lambda: _find_previous(client, site),
        functools.partial(get_deployment, client, site),
        was_live=lambda each: not to_deployment(each, site).draft,
    )
    return _publish(client, site, item, report)


def _find_previous(client: httpx.Client, site: Mapping[str, Any]) -> str:
    """Return the deployment that was live before the present one; empty if there is none."""
    live = get_published_id(site)
    items = iter_deployments(client, site, _SEARCH_LIMIT)
    candidates = [
        item
        for item in items
        if item.get("published_at") and item["id"] != live and item.get("state") == "ready"
    ]
    newest = max(candidates, key=lambda item: str(item["published_at"]), default={"id": ""})
    return str(newest["id"])


def _publish(
    client: httpx.Client,
    site: Mapping[str, Any],
    item: Mapping[str, Any],
    report: Report,
) -> Deployment:
    deployment_id = str(item["id"])
    if get_stage(item) != "production":
        raise DeployError(
            f"{deployment_id} is a preview, so its variables have the values for previews.",
            "Deploy the app to production: mastra deploy netlify --prod. Files that Netlify "
            "already has are not sent again.",
        )
    if get_published_id(site) == deployment_id:
        return to_deployment(item, site)
    if item.get("state") != "ready":
        raise DeployError(
            f"{deployment_id} cannot become live, because its state is {str(item.get('state'))!r}.",
            "Wait until the deployment is ready, or deploy again.",
        )
    if error := find_production_block(site):
        raise error
    report.step(f"Publishing {deployment_id}")
    path = f"/sites/{quote_segment(site['id'])}/deploys/{quote_segment(deployment_id)}/restore"
    client.post(path, extensions={"mastra_idempotent": True})
    final_site = poll(
        lambda: fetch_site(client, site),
        lambda each: (
            get_published_id(each) == deployment_id
            or _is_replaced(client, site, item, get_published_id(each))
        ),
        timeout=_TIMEOUT,
        interval=0.5,
        description=f"publishing {deployment_id}",
    )
    if (other := get_published_id(final_site)) != deployment_id:
        raise DeployError(
            f"Netlify published {deployment_id}, and then {other}, which another command sent.",
            f"To publish the first one again: mastra promote {deployment_id} --target netlify.",
        )
    return to_deployment(get_deployment(client, site, deployment_id), final_site)


def _is_replaced(
    client: httpx.Client, site: Mapping[str, Any], item: Mapping[str, Any], published_id: str
) -> bool:
    """Return whether Netlify has published a deployment, and then the one of another command.

    :param site: the site before the publication.
    :param item: the deployment before its publication.
    :param published_id: the id of the deployment that is published now.
    """
    if published_id in ("", get_published_id(site)):
        return False
    current = get_deployment(client, site, str(item["id"]))
    return current.get("published_at") != item.get("published_at")
