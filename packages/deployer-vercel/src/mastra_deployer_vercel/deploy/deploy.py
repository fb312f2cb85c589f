"""The deploy: project, variables, files, deployment, and what came of it."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_core.pipeline import Bundle, Deployment, DeployRequest, Plan, Report
from mastra_core.secret import Secret
from mastra_deployer_vercel.api import build_project_path, open_api, read_object
from mastra_deployer_vercel.deploy.archive import pack_archive
from mastra_deployer_vercel.deploy.create import (
    build_deployment_body,
    create_deployment,
    wait_until_ready,
)
from mastra_deployer_vercel.resources.deployments import (
    get_archive_parts,
    get_id,
    get_stage,
    iter_deployments,
    to_deployment,
)
from mastra_deployer_vercel.resources.project import find_project, get_or_create_project
from mastra_deployer_vercel.resources.variables import Variables, check_total_size
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("deploy", "plan")

_UNFINISHED = ("QUEUED", "INITIALIZING", "ANALYZING", "BUILDING", "DEPLOYING")
_SEARCH_LIMIT = 20  # deployments that may have the files already, or be the same one


def deploy(
    bundle: Bundle,
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Everything, in the order in which an interruption does no harm.

    Variables are bound when a deployment is made, so setting them changes nothing that runs.
    """
    check_total_size(request.env)
    with open_api(settings, credentials) as client, tempfile.TemporaryDirectory() as scratch:
        report.step("Packing")
        parts = pack_archive(bundle, Path(scratch))
        project = get_or_create_project(client, settings)
        report.step("Setting variables")
        Variables(client, settings, request.environment).set(request.env)
        item = _find_unfinished(client, project, request)
        if item is None:
            report.step("Making the deployment")
            body = build_deployment_body(settings, project, bundle, request, parts)
            item = create_deployment(client, body, parts, report)
        return _finish(client, settings, request, item, report)


def _find_unfinished(
    client: httpx.Client, project: Mapping[str, Any], request: DeployRequest
) -> dict[str, Any] | None:
    """The same deployment, made by a run that was interrupted while it waited."""
    newest = next(
        (
            item
            for item in iter_deployments(client, str(project["id"]), _SEARCH_LIMIT)
            if get_stage(item) == request.environment
        ),
        None,
    )
    if newest is None or (newest.get("state") or newest.get("readyState")) not in _UNFINISHED:
        return None
    fingerprint = (newest.get("meta") or {}).get("mastraFingerprint")
    return newest if fingerprint and fingerprint == request.fingerprint else None


def _finish(
    client: httpx.Client,
    settings: VercelDeployer,
    request: DeployRequest,
    item: Mapping[str, Any],
    report: Report,
) -> Deployment:
    if request.wait:
        report.step("Waiting until it is ready")
        item = wait_until_ready(client, get_id(item), settings, report)
    project = read_object(client.get(build_project_path(settings)))
    if item.get("target") == "production" and request.environment == "preview":
        report.note(
            "This is the project's first deployment, and Vercel makes that production.",
            "The next one is a preview.",
        )
    is_staged = settings.staged or item.get("readySubstate") in ("STAGED", "ROLLING")
    live = None if request.wait and not is_staged else False
    deployment = to_deployment(item, project, settings, live=_resolve_live(item, live))
    return dataclasses.replace(
        deployment, next=(*deployment.next, *_list_next_steps(deployment, settings))
    )


def _resolve_live(item: Mapping[str, Any], live: bool | None) -> bool | None:
    """A deployment whose names were assigned is what they lead to, whatever a cache says."""
    if live is None and get_stage(item) == "production":
        return bool(item.get("aliasAssigned"))
    return live


def _list_next_steps(deployment: Deployment, settings: VercelDeployer) -> tuple[str, ...]:
    if deployment.reachable or settings.bypass:
        return ()
    return ("It is protected: log in at Vercel to see it, or set VERCEL_AUTOMATION_BYPASS_SECRET.",)


def plan(
    bundle: Bundle,
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """What a deploy would do; Vercel is only read."""
    check_total_size(request.env)
    with open_api(settings, credentials) as client, tempfile.TemporaryDirectory() as scratch:
        parts = pack_archive(bundle, Path(scratch))
        project = find_project(client, settings)
        uploaded: set[str] = set()
        variables: Mapping[str, str] = {}
        if project is not None:
            for item in iter_deployments(client, project["id"], _SEARCH_LIMIT):
                uploaded |= {str(file.get("sha")) for file in get_archive_parts(item)}
            variables = Variables(client, settings, request.environment).list()
    create_project = () if project else (f"project {settings.project_name}",)
    return Plan(
        creates=(*create_project, f"{request.environment} deployment"),
        changes=tuple(f"variable {name}" for name in request.env if name in variables),
        environment=tuple(request.env),
        upload=sum(part.size for part in parts if part.sha not in uploaded),
        present=sum(part.size for part in parts if part.sha in uploaded),
        notes=() if project else ("Vercel makes a project's first deployment production.",),
    )
