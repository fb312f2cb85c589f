"""Deploy a bundle: project, variables, files, deployment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Bundle, Deployment, DeployRequest, Report
from mastra_core.secret import Secret
from mastra_deployer.kit import (
    find_unfinished,
    read_object,
    temporary_directory,
    warn_about_other_tool,
)
from mastra_deployer_vercel.api import build_project_path, open_api
from mastra_deployer_vercel.deploy.archive import pack_archive
from mastra_deployer_vercel.deploy.create import (
    MARK_KEY,
    build_deployment_body,
    create_deployment,
    wait_until_ready,
)
from mastra_deployer_vercel.resources.deployments import (
    get_id,
    get_stage,
    iter_deployments,
    to_deployment,
)
from mastra_deployer_vercel.resources.project import get_or_create_project
from mastra_deployer_vercel.resources.variables import Variables
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("deploy", "refuse_unpublished_draft")

_SEARCH_LIMIT = 20  # newest deployments to search for an unfinished one


def deploy(
    bundle: Bundle,
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Set variables, upload files, create the deployment, and wait until it is ready.

    Users never get a partial deployment. A deployment gets its variables when it is created, so
    setting variables does not affect running deployments. The request that creates the
    deployment also contains its variables, so that the variables of two simultaneous deploys do not
    mix.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param request: options of the deploy.
    :param report: receives progress.
    :returns: the new deployment.
    :raises ConfigError: when mastra would end before it can promote a staged deployment.
    :raises DeploymentFailed: when the deployment fails.
    :raises DeployTimeout: when the deployment is not ready in time.
    """
    refuse_unpublished_draft(settings, request)
    if request.environment == "production" and not request.promote:
        settings = dataclasses.replace(settings, staged=True)
    with open_api(settings, credentials) as client, temporary_directory() as temp_dir:
        report.step("Packing the files")
        parts = pack_archive(bundle, temp_dir)
        project = get_or_create_project(client, settings)
        newest = list(iter_deployments(client, str(project["id"]), _SEARCH_LIMIT))
        warn_about_other_tool(
            report,
            f"Vercel project {settings.project_name!r}",
            newest,
            lambda each: MARK_KEY in (each.get("meta") or {}),
            hint="If it is another app, choose another project_name. `mastra rollback` restores "
            "the old deployment.",
        )
        variables = Variables(client, settings, request.environment)
        body = build_deployment_body(settings, project, bundle, request, parts)
        item = find_unfinished(
            newest,
            request,
            lambda each: to_deployment(each, project, settings),
            get_change_time=variables.get_change_time,
        )
        # The mark tells staged deployments, which stay drafts, from those that move the domains.
        if item is None or (item.get("meta") or {}).get(MARK_KEY) != body["meta"][MARK_KEY]:
            report.step("Setting variables")
            variables.set(request.env)
            report.step("Creating the deployment")
            item = create_deployment(client, body, parts, report)
        return _finish(client, settings, request, item, report)


def refuse_unpublished_draft(settings: VercelDeployer, request: DeployRequest) -> None:
    """Refuse a staged deployment that mastra could not promote, before anything is sent.

    :param settings: settings of the deployer.
    :param request: options of the deploy.
    :raises ConfigError: when mastra would end before it can promote a staged deployment.
    """
    is_draft = settings.staged and request.environment == "production"
    if is_draft and request.promote and not request.wait:
        raise ConfigError(
            "With --no-wait, mastra ends before the staged deployment is ready, so mastra cannot "
            "promote it.",
            "Deploy without --no-wait. Or add --no-promote, so that the deployment stays a draft.",
        )


def _finish(
    client: httpx.Client,
    settings: VercelDeployer,
    request: DeployRequest,
    item: Mapping[str, Any],
    report: Report,
) -> Deployment:
    if request.wait:
        report.step("Waiting until the deployment is ready")
        item = wait_until_ready(client, get_id(item), settings, report)
    project = read_object(client.get(build_project_path(settings)))
    if item.get("target") == "production" and request.environment == "preview":
        report.note(
            "This is the project's first deployment, and Vercel makes it a production deployment.",
            "Later deployments are previews.",
        )
    live = _is_live(item, settings, request) if get_stage(item) == "production" else None
    deployment = to_deployment(item, project, settings, live=live)
    return dataclasses.replace(
        deployment, next=(*deployment.next, *_list_next_steps(deployment, settings))
    )


def _is_live(item: Mapping[str, Any], settings: VercelDeployer, request: DeployRequest) -> bool:
    """Return whether the domains have moved to a production deployment."""
    is_staged = settings.staged or item.get("readySubstate") in ("STAGED", "ROLLING")
    return request.wait and not is_staged and bool(item.get("aliasAssigned"))


def _list_next_steps(deployment: Deployment, settings: VercelDeployer) -> tuple[str, ...]:
    if deployment.reachable or settings.bypass:
        return ()
    return (
        "The deployment is protected. Log in at Vercel, or set VERCEL_AUTOMATION_BYPASS_SECRET.",
    )
