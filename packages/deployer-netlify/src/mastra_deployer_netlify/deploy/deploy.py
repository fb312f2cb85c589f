"""Deploy a bundle: site, variables, deployment, files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError, AuthError, DeployError, DeployTimeout
from mastra_core.pipeline import Bundle, Deployment, DeployRequest, Report
from mastra_core.secret import Secret
from mastra_deployer.kit import (
    DeploymentTags,
    find_unfinished,
    quote_segment,
    warn_about_other_tool,
)
from mastra_deployer_netlify.api import open_api
from mastra_deployer_netlify.deploy.create import (
    create_deployment,
    is_draft,
    wait_until_ready,
    wait_until_required,
)
from mastra_deployer_netlify.deploy.files import BundleFiles, send_missing_files
from mastra_deployer_netlify.deploy.find_unchanged import find_unchanged
from mastra_deployer_netlify.resources.deployments import (
    get_deployment,
    iter_deployments,
    to_deployment,
)
from mastra_deployer_netlify.resources.site import (
    fetch_site,
    get_or_create_site,
    require_publishable,
)
from mastra_deployer_netlify.resources.variables import Variables
from mastra_deployer_netlify.settings import NetlifyDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("deploy",)

_SEARCH_LIMIT = 20  # newest deployments to search for an unfinished one


def deploy(
    bundle: Bundle,
    settings: NetlifyDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Set the variables, create the deployment, send missing files, and wait.

    Users never get a partial deployment. The request that creates a deployment contains its
    variables, and the deployment is published only when it is complete.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param request: options of the deploy.
    :param report: receives progress.
    :returns: the new deployment.
    :raises DeployError: when the site would not publish the deployment.
    :raises DeploymentFailed: when the deployment fails.
    :raises DeployTimeout: when the deployment is not ready in time.
    """
    files = BundleFiles.from_bundle(bundle)
    with open_api(settings, credentials) as client:
        site = get_or_create_site(client, settings)
        require_publishable(site, request)
        variables = Variables(client, site, request.environment)
        if published := find_unchanged(site, variables, request):
            report.note(
                f"{published.id} has the same files and variables, so no deployment was created.",
                "Pass another --message to create a deployment.",
            )
            return published
        newest = list(iter_deployments(client, site, _SEARCH_LIMIT))
        warn_about_other_tool(
            report,
            f"Netlify site {settings.project_name!r}",
            newest,
            lambda each: bool(DeploymentTags.from_text(str(each.get("title") or "")).stage),
            hint="If it is another app, choose another project_name. `mastra rollback` restores "
            "the old deployment.",
        )
        item = _find_unfinished(client, site, settings, request, newest)
        if item is None:
            report.step("Setting variables")
            variables.set(request.env)
            report.step("Creating the deployment")
            item = create_deployment(client, site, settings, request, files)
        with _cancel_when_rejected(client, str(item["id"])):
            _refuse_other_context(variables, request, item)
            item = wait_until_required(client, site, item, settings)
            send_missing_files(client, item, files, report)
        if request.wait:
            report.step("Waiting until the deployment is ready")
            item = wait_until_ready(client, site, str(item["id"]), settings, report)
            return to_deployment(item, fetch_site(client, site))
        return to_deployment(item, site)


def _find_unfinished(
    client: httpx.Client,
    site: Mapping[str, Any],
    settings: NetlifyDeployer,
    request: DeployRequest,
    newest: Sequence[dict[str, Any]],
) -> dict[str, Any] | None:
    """Return the deployment that an interrupted earlier run of this deploy created."""
    item = find_unfinished(
        newest,
        request,
        lambda each: to_deployment(each, site),
        get_change_time=Variables(client, site, request.environment).get_change_time,
    )
    if item is None or bool(item.get("draft")) != is_draft(settings, request):
        return None
    return get_deployment(client, site, str(item["id"]))


@contextlib.contextmanager
def _cancel_when_rejected(client: httpx.Client, id: str) -> Iterator[None]:
    """Cancel a deployment that Netlify does not accept: ``POST /deploys/{id}/cancel``.

    After a lost connection, the deployment is not cancelled, so that the next run can continue with
    it.
    """
    try:
        yield
    except DeployError as error:
        is_broken = isinstance(error, ApiError) and error.status is None
        if not is_broken and not isinstance(error, DeployTimeout):
            with contextlib.suppress(ApiError, AuthError):
                client.post(
                    f"/deploys/{quote_segment(id)}/cancel", extensions={"mastra_idempotent": True}
                )
        raise


def _refuse_other_context(
    variables: Variables, request: DeployRequest, item: Mapping[str, Any]
) -> None:
    """Refuse a draft for production in which variables would be missing.

    Netlify does not document which context a draft gets. A deployment gets all values that its
    request contains, but from Netlify's store only the values for its own context. The context of a
    draft may differ from production.
    """
    context = str(item.get("context") or "production")
    if request.environment != "production" or context == "production":
        return
    stored = variables.list()
    names = [name for name in stored if name not in request.env and "all" not in stored[name]]
    if names:
        raise DeployError(
            f"Netlify created the draft in the context {context!r}, where these variables do not "
            f"have their production values: {', '.join(sorted(names))}.",
            "Set the variables in the environment or in .env, and deploy again. Or publish without "
            "a draft: -s staged=false.",
        )
