"""Create a deployment, and wait until it is ready."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError, DeploymentFailed
from mastra_core.pipeline import DeployRequest, Report
from mastra_deployer.kit import create_new, poll, quote_segment, read_object
from mastra_deployer_netlify.deploy.files import BundleFiles
from mastra_deployer_netlify.resources.deployments import (
    FAILED_STATES,
    build_title,
    get_deployment,
    iter_deployments,
)
from mastra_deployer_netlify.resources.variables import SCOPES
from mastra_deployer_netlify.settings import NetlifyDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("create_deployment", "is_draft", "wait_until_ready", "wait_until_required")

_SEARCH_LIMIT = 20  # newest deployments to search after a lost response
_MAX_SYNCHRONOUS_FILES = 100  # with more, Netlify compares them after its response
_PREVIEW_BRANCH = "mastra-preview"
# States in which a deployment knows which files it requires.
_PREPARED = ("prepared", "uploading", "uploaded", "processing", "processed", "ready")


def is_draft(settings: NetlifyDeployer, request: DeployRequest) -> bool:
    """Return whether a deployment is created as a draft.

    A deploy that does not wait creates no draft, because nobody would publish the draft.

    :param settings: settings of the deployer.
    :param request: options of the deploy.
    """
    if request.environment != "production":
        return False
    return not request.promote or (settings.staged and request.wait)


def create_deployment(
    client: httpx.Client,
    site: Mapping[str, Any],
    settings: NetlifyDeployer,
    request: DeployRequest,
    files: BundleFiles,
) -> dict[str, Any]:
    """Create a deployment only once, even after a lost response: ``POST /sites/{id}/deploys``.

    The request also contains the variables. Netlify does not document which context a draft has, so
    a draft may not get the stored values of the production context.

    :param client: client of Netlify's API.
    :param site: the site, as Netlify describes it.
    :param settings: settings of the deployer.
    :param request: options of the deploy.
    :param files: the files of the bundle.
    :returns: the new deployment, as Netlify describes it.
    :raises ApiError: when Netlify rejects the request.
    """
    path, title = f"/sites/{quote_segment(site['id'])}/deploys", build_title(request)
    body = _build_body(settings, request, files)

    def list_similar() -> Iterator[dict[str, Any]]:
        found = iter_deployments(client, site, _SEARCH_LIMIT)
        return (item for item in found if item.get("title") == title)

    def create() -> dict[str, Any]:
        item = read_object(client.post(path, params={"title": title}, json=body))
        if not item.get("id"):  # the response for a large deployment may be empty
            raise ApiError(
                "Netlify created a deployment, but its response does not contain the id of the "
                "deployment.",
                "Run the same command again.",
            )
        return item

    return create_new(list_similar, create, get_id=lambda item: str(item["id"]))


def _build_body(
    settings: NetlifyDeployer, request: DeployRequest, files: BundleFiles
) -> dict[str, Any]:
    content = files.to_body()
    environment = [
        {"key": name, "value": value.reveal(), "is_secret": True, "scopes": list(SCOPES)}
        for name, value in request.env.items()
    ]
    return {
        **content,
        "async": len(content["files"]) > _MAX_SYNCHRONOUS_FILES,
        "draft": is_draft(settings, request),
        # A deployment of another branch than production's is never published.
        **({"branch": _PREVIEW_BRANCH} if request.environment == "preview" else {}),
        **({"environment": environment} if environment else {}),
    }


def wait_until_required(
    client: httpx.Client, site: Mapping[str, Any], item: dict[str, Any], settings: NetlifyDeployer
) -> dict[str, Any]:
    """Wait until Netlify has compared all digests with its files.

    :param client: client of Netlify's API.
    :param site: the site, as Netlify describes it.
    :param item: the deployment, as Netlify describes it.
    :param settings: settings of the deployer; only ``timeout`` is used.
    :returns: the deployment with ``required`` and ``required_functions``.
    :raises DeploymentFailed: when the deployment fails.
    :raises DeployTimeout: when Netlify takes too long.
    """
    if "required" in item or "required_functions" in item:
        return item
    return _poll(client, site, str(item["id"]), settings, _PREPARED, None)


def wait_until_ready(
    client: httpx.Client,
    site: Mapping[str, Any],
    id: str,
    settings: NetlifyDeployer,
    report: Report,
) -> dict[str, Any]:
    """Poll a deployment until it is ready: ``GET /sites/{site_id}/deploys/{id}``.

    :param client: client of Netlify's API.
    :param site: the site, as Netlify describes it.
    :param id: id of the deployment.
    :param settings: settings of the deployer; only ``timeout`` is used.
    :param report: receives progress.
    :returns: the deployment, as Netlify describes it.
    :raises DeploymentFailed: when the deployment fails.
    :raises DeployTimeout: when the deployment is not ready in time.
    """
    return _poll(client, site, id, settings, ("ready",), report)


def _poll(
    client: httpx.Client,
    site: Mapping[str, Any],
    id: str,
    settings: NetlifyDeployer,
    states: tuple[str, ...],
    report: Report | None,
) -> dict[str, Any]:
    final_states = (*states, *FAILED_STATES)
    item = poll(
        lambda: get_deployment(client, site, id),
        lambda each: each.get("state") in final_states,
        timeout=settings.timeout,
        description=f"the deployment {id}",
        report=report,
    )
    if item.get("state") in FAILED_STATES:
        reason = item.get("error_message") or item["state"]
        raise DeploymentFailed(
            f"Netlify could not make {id} ready: {reason}",
            f"See its log: {item.get('admin_url') or 'https://app.netlify.com'}/deploys/{id}",
        )
    return item
