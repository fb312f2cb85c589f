"""Rolling releases: a deployment receives production traffic in stages."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tests.vercel.fake.routes.accounts import get_plan
from tests.vercel.fake.routes.projects import Project, find_project
from tests.vercel.fake.state.progress import make_live
from tests.vercel.fake.transport.request import ApiError, Request
from tests.vercel.fake.transport.routing import route

if TYPE_CHECKING:
    from tests.vercel.fake.state.deployment import Deployment
    from tests.vercel.fake.state.platform_state import PlatformState


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


def is_active(project: Project) -> bool:
    return project.rolling is not None and project.rolling.state == "ACTIVE"


def begin_release(platform: PlatformState, project: Project, deployment: Deployment) -> None:
    """Start a release at its first stage."""
    assert project.rolling_config is not None
    stages = project.rolling_config["stages"]
    project.rolling = RollingRelease(
        current=project.production,
        canary=deployment.id,
        kind=project.rolling_config["advancementType"],
        stages=stages,
        started=platform.now(),
    )
    deployment.substate = "ROLLING"
    if project.rolling.percent == 100:
        _finish_release(platform, project)


def abort_release(platform: PlatformState, project: Project) -> None:
    """Return the canary's share to the current deployment."""
    assert project.rolling is not None
    project.rolling.state = "ABORTED"
    platform.deployments[project.rolling.canary].substate = "STAGED"


def get_traffic_shares(project: Project) -> dict[str, int]:
    """Return the percentage of production traffic by deployment."""
    if not project.production:
        return {}
    if not is_active(project):
        return {project.production: 100}
    assert project.rolling is not None
    percent = project.rolling.percent
    return {project.rolling.canary: percent, project.rolling.current: 100 - percent}


@route("GET", "projects/{project}/rolling-release/config", 1)
def get_config(request: Request) -> dict[str, Any]:
    return {"rollingRelease": render_config(find_project(request, request["project"]))}


@route("PATCH", "projects/{project}/rolling-release/config", 1)
def update_config(request: Request) -> dict[str, Any]:
    project, body = find_project(request, request["project"]), request.parse_object()
    if get_plan(request) == "hobby":
        raise ApiError(403, "forbidden", "Rolling releases are not part of the plan of this team")
    if body.get("enabled") is False:
        project.rolling_config = None
    else:
        _validate_config(body)
        project.rolling_config = {name: body[name] for name in ("advancementType", "stages")}
    return {"rollingRelease": render_config(project)}


@route("DELETE", "projects/{project}/rolling-release/config", 1)
def delete_config(request: Request) -> dict[str, Any]:
    find_project(request, request["project"]).rolling_config = None
    return {"rollingRelease": None}


@route("GET", "projects/{project}/rolling-release", 1)
def get_release(request: Request) -> dict[str, Any]:
    project = find_project(request, request["project"])
    release, state = project.rolling, request.get_query("state")
    match = release if release and state in {"", release.state} else None
    return {"rollingRelease": match and _render_release(request, match)}


@route("POST", "projects/{project}/rolling-release/start", 1)
def start_release(request: Request) -> dict[str, Any]:
    """Start a release; a repeated request has no effect."""
    project, canary = (
        find_project(request, request["project"]),
        request.parse_object().get("canaryDeploymentId"),
    )
    deployment = request.platform.deployments.get(str(canary))
    if deployment is None or deployment.project != project.id:
        raise ApiError(404, "not_found", "Deployment not found")
    if project.rolling_config is None:
        raise ApiError(409, "conflict", "Rolling releases are not enabled for this project")
    if deployment.target != "production" or not deployment.is_ready:
        raise ApiError(422, "unprocessable_entity", "It is no production deployment that is ready")
    if not (is_active(project) and project.rolling and project.rolling.canary == deployment.id):
        if is_active(project) or deployment.id == project.production:
            raise ApiError(409, "conflict", "Another rolling release is active")
        begin_release(request.platform, project, deployment)
    assert project.rolling is not None
    return {"rollingRelease": _render_release(request, project.rolling)}


@route("POST", "projects/{project}/rolling-release/approve-stage", 1)
def approve_stage(request: Request) -> dict[str, Any]:
    """Advance to the next stage."""
    project, body = find_project(request, request["project"]), request.parse_object()
    release = _get_active(project, body)
    next_stage = body.get("nextStageIndex")
    if next_stage != release.stage + 1:
        raise ApiError(409, "conflict", f"Stage {next_stage} does not follow stage {release.stage}")
    release.stage = next_stage
    if release.percent == 100:
        _finish_release(request.platform, project)
    return {"rollingRelease": _render_release(request, release)}


@route("POST", "projects/{project}/rolling-release/complete", 1)
def complete_release(request: Request) -> dict[str, Any]:
    """Give the canary all traffic."""
    project = find_project(request, request["project"])
    release = _get_active(project, request.parse_object())
    _finish_release(request.platform, project)
    return {"rollingRelease": _render_release(request, release)}


def render_config(project: Project) -> dict[str, Any] | None:
    """Render the configuration, in which each stage states how it advances."""
    config = project.rolling_config
    if config is None:
        return None
    is_manual = config["advancementType"] == "manual-approval"
    stages = [{**stage, "requireApproval": is_manual} for stage in config["stages"]]
    return {"target": "production", "stages": stages}


def _validate_config(body: dict[str, Any]) -> None:
    stages = body.get("stages")
    if not isinstance(stages, list) or not 2 <= len(stages) <= 10:
        raise ApiError(400, "bad_request", "`stages` should have 2 to 10 entries")
    shares = [stage.get("targetPercentage") for stage in stages]
    if shares != sorted(set(shares)) or shares[-1] != 100 or shares[0] < 0:
        raise ApiError(400, "bad_request", "`stages` should rise, and end with 100")
    if body.get("advancementType") not in {"automatic", "manual-approval"}:
        raise ApiError(400, "bad_request", "`advancementType` is not known")
    if body["advancementType"] == "automatic" and any("duration" not in s for s in stages[:-1]):
        raise ApiError(400, "bad_request", "An automatic stage has a `duration`")


def _get_active(project: Project, body: dict[str, Any]) -> RollingRelease:
    release = project.rolling
    if release is None or release.state != "ACTIVE":
        raise ApiError(404, "not_found", "There is no active rolling release")
    if body.get("canaryDeploymentId") != release.canary:
        raise ApiError(409, "conflict", "Another deployment is being released")
    return release


def _finish_release(platform: PlatformState, project: Project) -> None:
    release = project.rolling
    assert release is not None
    release.stage, release.state = len(release.stages) - 1, "COMPLETE"
    make_live(platform, project, platform.deployments[release.canary])
    project.is_rolled_back = False
    if release.queued:
        begin_release(platform, project, platform.deployments[release.queued])


def _render_release(request: Request, release: RollingRelease) -> dict[str, Any]:
    stages = [_render_stage(release, index) for index in range(len(release.stages))]
    is_running = release.state == "ACTIVE"
    next_stage = stages[release.stage + 1] if release.stage + 1 < len(stages) else None
    return {
        "state": release.state,
        "substate": None,
        "advancementType": release.kind,
        "currentDeployment": _render_deployment(request, release.current),
        "canaryDeployment": _render_deployment(request, release.canary),
        "queuedDeploymentId": release.queued or None,
        "activeStage": stages[release.stage] if is_running else None,
        "nextStage": next_stage if is_running else None,
        "stages": stages,
        "startedAt": release.started,
        "updatedAt": release.started,
    }


def _render_stage(release: RollingRelease, index: int) -> dict[str, Any]:
    stage = release.stages[index]
    return {
        "index": index,
        "isFinalStage": index == len(release.stages) - 1,
        "targetPercentage": stage["targetPercentage"],
        "requireApproval": release.kind == "manual-approval",
        "duration": stage.get("duration"),
    }


def _render_deployment(request: Request, id: str) -> dict[str, Any] | None:
    deployment = request.platform.deployments.get(id)
    if deployment is None:
        return None
    return {
        "id": deployment.id,
        "name": deployment.name,
        "url": deployment.url,
        "createdAt": deployment.created,
        "readyState": deployment.state,
        "target": deployment.target or None,
        "source": "cli",
    }
