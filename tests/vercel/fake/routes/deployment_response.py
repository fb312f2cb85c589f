"""Render deployments as the API returns them."""

from __future__ import annotations

from typing import Any

from tests.vercel.fake.routes.accounts import get_plan
from tests.vercel.fake.routes.projects import Project
from tests.vercel.fake.state.deployment import Deployment
from tests.vercel.fake.transport.request import Request


def render_deployment(request: Request, deployment: Deployment) -> dict[str, Any]:
    """Render a single deployment."""
    project = request.platform.projects[deployment.project]
    user = request.platform.users[deployment.creator]
    return {
        "id": deployment.id,
        "name": deployment.name,
        "version": 2,
        "type": "LAMBDAS",
        "source": "cli",
        "url": deployment.url,
        "inspectorUrl": _build_inspector_url(request, deployment),
        "ownerId": deployment.owner,
        "creator": {"uid": user.id, "username": user.username},
        "plan": get_plan(request, deployment.owner),
        "projectId": project.id,
        "project": {"id": project.id, "name": project.name, "framework": None},
        "projectSettings": _render_settings(deployment),
        "public": False,
        "regions": ["iad1"],
        "routes": None,
        "env": sorted(deployment.env),
        "build": {"env": list(deployment.build_env)},
        "meta": deployment.meta,
        "target": deployment.target or None,
        "autoAssignCustomDomains": deployment.auto_assign,
        "prebuilt": deployment.prebuilt,
        "isInConcurrentBuildsQueue": False,
        "isInSystemBuildsQueue": False,
        **_render_times(deployment),
        **_render_state(deployment),
        **_render_aliases(request, deployment, project),
    }


def render_list_item(request: Request, deployment: Deployment) -> dict[str, Any]:
    """Render an item of a list of deployments."""
    project = request.platform.projects[deployment.project]
    user = request.platform.users[deployment.creator]
    state = _render_state(deployment)
    return {
        "uid": deployment.id,
        "name": deployment.name,
        "projectId": project.id,
        "url": deployment.url,
        "type": "LAMBDAS",
        "source": "cli",
        "created": deployment.created,
        "state": deployment.state,
        "target": deployment.target or None,
        "creator": {"uid": user.id, "username": user.username, "email": user.email},
        "inspectorUrl": _build_inspector_url(request, deployment),
        "meta": deployment.meta,
        "aliasAssigned": deployment.has_aliases,
        "isRollbackCandidate": can_roll_back_to(request, project, deployment),
        **{name: state[name] for name in _LIST_FIELDS if name in state},
        **{name: when for name, when in _render_times(deployment).items() if name in _LIST_FIELDS},
        **_render_environment(project, deployment),
    }


_LIST_FIELDS = (
    "readyState readySubstate aliasError errorCode errorMessage checksState checksConclusion "
    "createdAt buildingAt ready"
).split()


def can_roll_back_to(request: Request, project: Project, deployment: Deployment) -> bool:
    """Return whether a rollback is allowed; on hobby only to the previous deployment."""
    if deployment.is_deleted or not deployment.was_live or deployment.id == project.production:
        return False
    return get_plan(request, deployment.owner) != "hobby" or deployment.id in project.history[-2:-1]


def _build_inspector_url(request: Request, deployment: Deployment) -> str:
    team = request.platform.teams.get(deployment.owner)
    owner = team.slug if team else request.platform.users[deployment.creator].username
    short = deployment.id.removeprefix("dpl_")
    return f"https://vercel.com/{owner}/{deployment.name}/{short}"


def _render_settings(deployment: Deployment) -> dict[str, Any]:
    names = ("buildCommand", "framework", "installCommand", "outputDirectory", "nodeVersion")
    return {name: deployment.settings[name] for name in names if name in deployment.settings}


def _render_times(deployment: Deployment) -> dict[str, Any]:
    started = deployment.created + 1
    times = {"createdAt": deployment.created, "createdIn": "iad1", "bootedAt": started}
    more = {"buildingAt": started, "buildSkipped": False}
    return {**times, **more, **({"ready": started + 1} if deployment.is_ready else {})}


def _render_state(deployment: Deployment) -> dict[str, Any]:
    outcome = deployment.outcome
    state: dict[str, Any] = {
        "readyState": deployment.state,
        "status": deployment.state,
        "aliasAssigned": deployment.has_aliases,
        "aliasError": None,
    }
    if deployment.end_state:
        state["errorCode"], state["errorMessage"] = outcome.code, outcome.message
        state["errorStep"] = outcome.step or "buildStep"
    if deployment.is_ready and outcome.alias:
        state["aliasError"] = dict(zip(("code", "message"), outcome.alias, strict=True))
    if deployment.substate:
        state["readySubstate"] = deployment.substate
    if deployment.is_ready and outcome.checks:
        state["checksState"], state["checksConclusion"] = "completed", outcome.checks
    return state


def _render_aliases(request: Request, deployment: Deployment, project: Project) -> dict[str, Any]:
    team = request.platform.teams.get(deployment.owner)
    team_item = {"id": team.id, "name": team.name, "slug": team.slug} if team else None
    assigned_at = deployment.created + 2 if deployment.has_aliases else None
    alias = {"alias": list(deployment.alias), "aliasAssignedAt": assigned_at}
    return {
        **alias,
        **_render_environment(project, deployment),
        **({"team": team_item} if team_item else {}),
    }


def _render_environment(project: Project, deployment: Deployment) -> dict[str, Any]:
    environment = project.environments.get(deployment.environment)
    return {"customEnvironment": environment.to_json()} if environment else {}
