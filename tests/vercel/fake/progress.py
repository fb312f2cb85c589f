"""Takes deployments further, and does what comes with each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vercel.fake.lifecycle import ASSIGNED, BUILDING, ENDS, READY, Deployment, step_of

if TYPE_CHECKING:
    from tests.vercel.fake.projects import Project
    from tests.vercel.fake.world import World


def advance(world: World, deployment: Deployment) -> None:
    """Bring it to where it should be by now."""
    step = step_of(deployment, world.pace)
    if deployment.ended or deployment.deleted or step == deployment.step:
        return
    outcome = deployment.outcome
    if outcome.state in ENDS and step > BUILDING:
        deployment.step, deployment.ended = BUILDING, outcome.state
        return
    if outcome.state == "BUILDING":
        deployment.step = min(step, BUILDING)
        return
    project = world.projects[deployment.project]
    if step >= READY > deployment.step:
        _become_ready(project, deployment)
    deployment.step = _assign(world, project, deployment) if step >= ASSIGNED else step


def _become_ready(project: Project, deployment: Deployment) -> None:
    if deployment.target != "production":
        return
    waits = not _auto_assigned(project, deployment) or _is_rolling(project)
    deployment.substate = "STAGED" if waits else ""


def _assign(world: World, project: Project, deployment: Deployment) -> int:
    """Let users reach it, where nothing speaks against that; the step it has come to."""
    outcome = deployment.outcome
    if outcome.alias or outcome.checks == "failed":
        return READY
    if deployment.target != "production":
        return ASSIGNED
    if _is_rolling(project):
        from tests.vercel.fake.rolling import begin, busy

        if _auto_assigned(project, deployment) and not busy(project):
            begin(world, project, deployment)
        return READY
    if not _auto_assigned(project, deployment):
        return READY
    serve(world, project, deployment)
    return ASSIGNED


def _is_rolling(project: Project) -> bool:
    """Whether it comes to users step by step; the first one has nobody to share with."""
    return bool(project.rolling_config and project.production)


def _auto_assigned(project: Project, deployment: Deployment) -> bool:
    """After going back nothing is, until something is promoted."""
    allowed = project.settings.get("autoAssignCustomDomains", True)
    return bool(deployment.auto_assign and allowed and not project.went_back)


def serve(world: World, project: Project, deployment: Deployment) -> None:
    """Make it what production's users see."""
    for known in world.deployments.values():
        if known.project == project.id and project.host in known.alias:
            known.alias.remove(project.host)
    if project.production != deployment.id:
        project.history.append(deployment.id)
    deployment.served, deployment.substate = True, "PROMOTED"
    deployment.step = ASSIGNED
    deployment.alias.append(project.host)
