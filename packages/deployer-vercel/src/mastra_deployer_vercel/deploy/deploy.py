"""The deploy: project, variables, files, deployment, and what came of it."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_core.pipeline import Bundle, Deployment, DeployRequest, Plan, Report
from mastra_core.secret import Secret
from mastra_deployer_vercel.api import fields, opened, project_path
from mastra_deployer_vercel.deploy.archive import pack
from mastra_deployer_vercel.deploy.create import body_of, create, wait_until_ready
from mastra_deployer_vercel.resources.deployments import (
    deployment_of,
    id_of,
    listed,
    packed_files,
    stage_of,
)
from mastra_deployer_vercel.resources.project import find_project, make_project
from mastra_deployer_vercel.resources.variables import Variables, refuse_values
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("deploy", "plan")

_UNFINISHED = ("QUEUED", "INITIALIZING", "ANALYZING", "BUILDING", "DEPLOYING")
_LOOKED_AT = 20  # deployments that may have the files already, or be the same one


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
    refuse_values(request.env)
    with opened(settings, credentials) as client, tempfile.TemporaryDirectory() as scratch:
        report.step("Packing")
        parts = pack(bundle, Path(scratch))
        project = make_project(client, settings)
        report.step("Setting variables")
        Variables(client, settings, request.environment).set(request.env)
        made = _unfinished(client, project, request)
        if made is None:
            report.step("Making the deployment")
            body = body_of(settings, project, bundle, request, parts)
            made = create(client, body, parts, report)
        return _awaited(client, settings, request, made, report)


def _unfinished(
    client: httpx.Client, project: Mapping[str, Any], request: DeployRequest
) -> dict[str, Any] | None:
    """The same deployment, made by a run that was interrupted while it waited."""
    newest = next(
        (
            item
            for item in listed(client, str(project["id"]), _LOOKED_AT)
            if stage_of(item) == request.environment
        ),
        None,
    )
    if newest is None or (newest.get("state") or newest.get("readyState")) not in _UNFINISHED:
        return None
    mark = (newest.get("meta") or {}).get("mastraFingerprint")
    return newest if mark and mark == request.fingerprint else None


def _awaited(
    client: httpx.Client,
    settings: VercelDeployer,
    request: DeployRequest,
    made: Mapping[str, Any],
    report: Report,
) -> Deployment:
    if request.wait:
        report.step("Waiting until it is ready")
        made = wait_until_ready(client, id_of(made), settings, report)
    project = fields(client.get(project_path(settings)))
    if made.get("target") == "production" and request.environment == "preview":
        report.note(
            "This is the project's first deployment, and Vercel makes that production.",
            "The next one is a preview.",
        )
    staged = settings.staged or made.get("readySubstate") in ("STAGED", "ROLLING")
    live = None if request.wait and not staged else False
    found = deployment_of(made, project, settings, live=_live(made, live))
    return dataclasses.replace(found, next=(*found.next, *_advice(found, settings)))


def _live(made: Mapping[str, Any], live: bool | None) -> bool | None:
    """A deployment whose names were assigned is what they lead to, whatever a cache says."""
    if live is None and stage_of(made) == "production":
        return bool(made.get("aliasAssigned"))
    return live


def _advice(made: Deployment, settings: VercelDeployer) -> tuple[str, ...]:
    if made.reachable or settings.bypass:
        return ()
    return ("It is protected: log in at Vercel to see it, or set VERCEL_AUTOMATION_BYPASS_SECRET.",)


def plan(
    bundle: Bundle,
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """What a deploy would do; Vercel is only read."""
    refuse_values(request.env)
    with opened(settings, credentials) as client, tempfile.TemporaryDirectory() as scratch:
        parts = pack(bundle, Path(scratch))
        project = find_project(client, settings)
        known: set[str] = set()
        there: Mapping[str, str] = {}
        if project is not None:
            for item in listed(client, project["id"], _LOOKED_AT):
                known |= {str(file.get("sha")) for file in packed_files(item)}
            there = Variables(client, settings, request.environment).list()
    create_project = () if project else (f"project {settings.project_name}",)
    return Plan(
        creates=(*create_project, f"{request.environment} deployment"),
        changes=tuple(f"variable {name}" for name in request.env if name in there),
        environment=tuple(request.env),
        upload=sum(part.size for part in parts if part.sha not in known),
        present=sum(part.size for part in parts if part.sha in known),
        notes=() if project else ("Vercel makes a project's first deployment production.",),
    )
