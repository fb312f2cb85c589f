"""A deployment, as the API shows it: by itself, and as one of a list."""

from __future__ import annotations

from typing import Any

from tests.vercel.fake.accounts import plan_of
from tests.vercel.fake.call import Call
from tests.vercel.fake.lifecycle import Deployment
from tests.vercel.fake.projects import Project


def deployment_answer(call: Call, deployment: Deployment) -> dict[str, Any]:
    """By itself."""
    project = call.world.projects[deployment.project]
    user = call.world.users[deployment.creator]
    return {
        "id": deployment.id,
        "name": deployment.name,
        "version": 2,
        "type": "LAMBDAS",
        "source": "cli",
        "url": deployment.url,
        "inspectorUrl": _inspector(call, deployment),
        "ownerId": deployment.owner,
        "creator": {"uid": user.id, "username": user.username},
        "plan": plan_of(call, deployment.owner),
        "projectId": project.id,
        "project": {"id": project.id, "name": project.name, "framework": None},
        "projectSettings": _settings(deployment),
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
        **_times(deployment),
        **_state(deployment),
        **_place(call, deployment, project),
    }


def listed(call: Call, deployment: Deployment) -> dict[str, Any]:
    """As one of a list."""
    project = call.world.projects[deployment.project]
    user = call.world.users[deployment.creator]
    state = _state(deployment)
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
        "inspectorUrl": _inspector(call, deployment),
        "meta": deployment.meta,
        "aliasAssigned": deployment.assigned,
        "isRollbackCandidate": may_go_back(call, project, deployment),
        **{name: state[name] for name in _LISTED if name in state},
        **{name: when for name, when in _times(deployment).items() if name in _LISTED},
        **_environment(project, deployment),
    }


_LISTED = (
    "readyState readySubstate aliasError errorCode errorMessage checksState checksConclusion "
    "createdAt buildingAt ready"
).split()


def may_go_back(call: Call, project: Project, deployment: Deployment) -> bool:
    """Whether production may go back to it: on hobby only to the one before."""
    if deployment.deleted or not deployment.served or deployment.id == project.production:
        return False
    return plan_of(call, deployment.owner) != "hobby" or deployment.id in project.history[-2:-1]


def _inspector(call: Call, deployment: Deployment) -> str:
    team = call.world.teams.get(deployment.owner)
    owner = team.slug if team else call.world.users[deployment.creator].username
    short = deployment.id.removeprefix("dpl_")
    return f"https://vercel.com/{owner}/{deployment.name}/{short}"


def _settings(deployment: Deployment) -> dict[str, Any]:
    shown = ("buildCommand", "framework", "installCommand", "outputDirectory", "nodeVersion")
    return {name: deployment.settings[name] for name in shown if name in deployment.settings}


def _times(deployment: Deployment) -> dict[str, Any]:
    begun = deployment.created + 1
    times = {"createdAt": deployment.created, "createdIn": "iad1", "bootedAt": begun}
    more = {"buildingAt": begun, "buildSkipped": False}
    return {**times, **more, **({"ready": begun + 1} if deployment.ready else {})}


def _state(deployment: Deployment) -> dict[str, Any]:
    outcome = deployment.outcome
    state: dict[str, Any] = {
        "readyState": deployment.state,
        "status": deployment.state,
        "aliasAssigned": deployment.assigned,
        "aliasError": None,
    }
    if deployment.ended:
        state["errorCode"], state["errorMessage"] = outcome.code, outcome.message
        state["errorStep"] = outcome.step or "buildStep"
    if deployment.ready and outcome.alias:
        state["aliasError"] = dict(zip(("code", "message"), outcome.alias, strict=True))
    if deployment.substate:
        state["readySubstate"] = deployment.substate
    if deployment.ready and outcome.checks:
        state["checksState"], state["checksConclusion"] = "completed", outcome.checks
    return state


def _place(call: Call, deployment: Deployment, project: Project) -> dict[str, Any]:
    team = call.world.teams.get(deployment.owner)
    about = {"id": team.id, "name": team.name, "slug": team.slug} if team else None
    assigned = deployment.created + 2 if deployment.assigned else None
    alias = {"alias": list(deployment.alias), "aliasAssignedAt": assigned}
    return {**alias, **_environment(project, deployment), **({"team": about} if about else {})}


def _environment(project: Project, deployment: Deployment) -> dict[str, Any]:
    known = project.environments.get(deployment.environment)
    return {"customEnvironment": known.answer()} if known else {}
