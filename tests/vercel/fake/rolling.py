"""Rolling releases: a new deployment gets its share of production's users step by step."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tests.vercel.fake.accounts import plan_of
from tests.vercel.fake.call import Call, Refused
from tests.vercel.fake.progress import serve
from tests.vercel.fake.projects import Project, find_project
from tests.vercel.fake.routes import route

if TYPE_CHECKING:
    from tests.vercel.fake.lifecycle import Deployment
    from tests.vercel.fake.world import World


@dataclasses.dataclass(kw_only=True)
class RollingRelease:
    current: str
    canary: str
    kind: str
    stages: list[dict[str, Any]]
    started: int
    stage: int = 0
    state: str = "ACTIVE"
    queued: str = ""

    @property
    def percent(self) -> int:
        return int(self.stages[self.stage]["targetPercentage"])


def busy(project: Project) -> bool:
    return project.rolling is not None and project.rolling.state == "ACTIVE"


def begin(world: World, project: Project, deployment: Deployment) -> None:
    """Give a deployment its first share."""
    assert project.rolling_config is not None
    stages = project.rolling_config["stages"]
    project.rolling = RollingRelease(
        current=project.production,
        canary=deployment.id,
        kind=project.rolling_config["advancementType"],
        stages=stages,
        started=world.now(),
    )
    deployment.substate = "ROLLING"
    if project.rolling.percent == 100:
        _finish(world, project)


def abort(world: World, project: Project) -> None:
    """Give the canary's share back."""
    assert project.rolling is not None
    project.rolling.state = "ABORTED"
    world.deployments[project.rolling.canary].substate = "STAGED"


def shares(project: Project) -> dict[str, int]:
    """Percent of production's traffic by deployment."""
    if not project.production:
        return {}
    if not busy(project):
        return {project.production: 100}
    assert project.rolling is not None
    percent = project.rolling.percent
    return {project.rolling.canary: percent, project.rolling.current: 100 - percent}


@route("GET", "projects/{project}/rolling-release/config", 1)
def get_config(call: Call) -> dict[str, Any]:
    return {"rollingRelease": shown_config(find_project(call, call["project"]))}


@route("PATCH", "projects/{project}/rolling-release/config", 1)
def change_config(call: Call) -> dict[str, Any]:
    project, told = find_project(call, call["project"]), call.told()
    if plan_of(call) == "hobby":
        raise Refused(403, "forbidden", "Rolling releases are not part of the plan of this team")
    if told.get("enabled") is False:
        project.rolling_config = None
    else:
        _check(told)
        project.rolling_config = {name: told[name] for name in ("advancementType", "stages")}
    return {"rollingRelease": shown_config(project)}


@route("DELETE", "projects/{project}/rolling-release/config", 1)
def delete_config(call: Call) -> dict[str, Any]:
    find_project(call, call["project"]).rolling_config = None
    return {"rollingRelease": None}


@route("GET", "projects/{project}/rolling-release", 1)
def get(call: Call) -> dict[str, Any]:
    project = find_project(call, call["project"])
    rolling, wanted = project.rolling, call.asked("state")
    seen = rolling if rolling and wanted in {"", rolling.state} else None
    return {"rollingRelease": seen and _answer(call, seen)}


@route("POST", "projects/{project}/rolling-release/start", 1)
def start(call: Call) -> dict[str, Any]:
    """Begin; asked for twice it is still one."""
    project, canary = find_project(call, call["project"]), call.told().get("canaryDeploymentId")
    deployment = call.world.deployments.get(str(canary))
    if deployment is None or deployment.project != project.id:
        raise Refused(404, "not_found", "Deployment not found")
    if project.rolling_config is None:
        raise Refused(409, "conflict", "Rolling releases are not enabled for this project")
    if deployment.target != "production" or not deployment.ready:
        raise Refused(422, "unprocessable_entity", "It is no production deployment that is ready")
    if not (busy(project) and project.rolling and project.rolling.canary == deployment.id):
        if busy(project) or deployment.id == project.production:
            raise Refused(409, "conflict", "Another rolling release is active")
        begin(call.world, project, deployment)
    assert project.rolling is not None
    return {"rollingRelease": _answer(call, project.rolling)}


@route("POST", "projects/{project}/rolling-release/approve-stage", 1)
def approve(call: Call) -> dict[str, Any]:
    """Go on to the next stage."""
    project, told = find_project(call, call["project"]), call.told()
    rolling = _active(project, told)
    following = told.get("nextStageIndex")
    if following != rolling.stage + 1:
        raise Refused(409, "conflict", f"Stage {following} does not follow stage {rolling.stage}")
    rolling.stage = following
    if rolling.percent == 100:
        _finish(call.world, project)
    return {"rollingRelease": _answer(call, rolling)}


@route("POST", "projects/{project}/rolling-release/complete", 1)
def complete(call: Call) -> dict[str, Any]:
    """Give the canary all users."""
    project = find_project(call, call["project"])
    rolling = _active(project, call.told())
    _finish(call.world, project)
    return {"rollingRelease": _answer(call, rolling)}


def shown_config(project: Project) -> dict[str, Any] | None:
    """The configuration as the API shows it: how it advances stands with each stage."""
    config = project.rolling_config
    if config is None:
        return None
    by_hand = config["advancementType"] == "manual-approval"
    stages = [{**stage, "requireApproval": by_hand} for stage in config["stages"]]
    return {"target": "production", "stages": stages}


def _check(told: dict[str, Any]) -> None:
    stages = told.get("stages")
    if not isinstance(stages, list) or not 2 <= len(stages) <= 10:
        raise Refused(400, "bad_request", "`stages` should have 2 to 10 entries")
    shares = [stage.get("targetPercentage") for stage in stages]
    if shares != sorted(set(shares)) or shares[-1] != 100 or shares[0] < 0:
        raise Refused(400, "bad_request", "`stages` should rise, and end with 100")
    if told.get("advancementType") not in {"automatic", "manual-approval"}:
        raise Refused(400, "bad_request", "`advancementType` is not known")
    if told["advancementType"] == "automatic" and any("duration" not in s for s in stages[:-1]):
        raise Refused(400, "bad_request", "An automatic stage has a `duration`")


def _active(project: Project, told: dict[str, Any]) -> RollingRelease:
    rolling = project.rolling
    if rolling is None or rolling.state != "ACTIVE":
        raise Refused(404, "not_found", "There is no active rolling release")
    if told.get("canaryDeploymentId") != rolling.canary:
        raise Refused(409, "conflict", "Another deployment is being released")
    return rolling


def _finish(world: World, project: Project) -> None:
    rolling = project.rolling
    assert rolling is not None
    rolling.stage, rolling.state = len(rolling.stages) - 1, "COMPLETE"
    serve(world, project, world.deployments[rolling.canary])
    project.went_back = False
    if rolling.queued:
        begin(world, project, world.deployments[rolling.queued])


def _answer(call: Call, rolling: RollingRelease) -> dict[str, Any]:
    stages = [_stage(rolling, index) for index in range(len(rolling.stages))]
    active = rolling.state == "ACTIVE"
    following = stages[rolling.stage + 1] if rolling.stage + 1 < len(stages) else None
    return {
        "state": rolling.state,
        "substate": None,
        "advancementType": rolling.kind,
        "currentDeployment": _deployment(call, rolling.current),
        "canaryDeployment": _deployment(call, rolling.canary),
        "queuedDeploymentId": rolling.queued or None,
        "activeStage": stages[rolling.stage] if active else None,
        "nextStage": following if active else None,
        "stages": stages,
        "startedAt": rolling.started,
        "updatedAt": rolling.started,
    }


def _stage(rolling: RollingRelease, index: int) -> dict[str, Any]:
    told = rolling.stages[index]
    return {
        "index": index,
        "isFinalStage": index == len(rolling.stages) - 1,
        "targetPercentage": told["targetPercentage"],
        "requireApproval": rolling.kind == "manual-approval",
        "duration": told.get("duration"),
    }


def _deployment(call: Call, id: str) -> dict[str, Any] | None:
    known = call.world.deployments.get(id)
    if known is None:
        return None
    return {
        "id": known.id,
        "name": known.name,
        "url": known.url,
        "createdAt": known.created,
        "readyState": known.state,
        "target": known.target or None,
        "source": "cli",
    }
