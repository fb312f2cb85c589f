"""Advance deployments, with the effects of each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vercel.fake.state.deployment import (
    ASSIGNED,
    BUILDING,
    FAILED_STATES,
    READY,
    Deployment,
    compute_step,
)

if TYPE_CHECKING:
    from tests.vercel.fake.routes.projects import Project
    from tests.vercel.fake.state.platform_state import PlatformState


def advance(platform: PlatformState, deployment: Deployment) -> None:
    """Advance a deployment to the step that it should have reached by now."""
    step = compute_step(deployment, platform.build_speed)
    if deployment.end_state or deployment.is_deleted or step == deployment.step:
        return
    outcome = deployment.outcome
    if outcome.state in FAILED_STATES and step > BUILDING:
        deployment.step, deployment.end_state = BUILDING, outcome.state
        return
    if outcome.state == "BUILDING":
        deployment.step = min(step, BUILDING)
        return
    project = platform.projects[deployment.project]
    if step >= READY > deployment.step:
        _mark_ready(project, deployment)
    deployment.step = _assign_aliases(platform, project, deployment) if step >= ASSIGNED else step


def _mark_ready(project: Project, deployment: Deployment) -> None:
    if deployment.target != "production":
        return
    is_staged = not _is_auto_assigned(project, deployment) or _is_rolling(project)
    deployment.substate = "STAGED" if is_staged else ""


def _assign_aliases(platform: PlatformState, project: Project, deployment: Deployment) -> int:
    """Assign the aliases unless something prevents it, and return the step reached."""
    outcome = deployment.outcome
    if outcome.alias or outcome.checks == "failed":
        return READY
    if deployment.target != "production":
        return ASSIGNED
    if _is_rolling(project):
        from tests.vercel.fake.routes.rolling_releases import begin_release, is_active

        if _is_auto_assigned(project, deployment) and not is_active(project):
            begin_release(platform, project, deployment)
        return READY
    if not _is_auto_assigned(project, deployment):
        return READY
    make_live(platform, project, deployment)
    return ASSIGNED


def _is_rolling(project: Project) -> bool:
    """Return whether it is released gradually; the first deployment is not."""
    return bool(project.rolling_config and project.production)


def _is_auto_assigned(project: Project, deployment: Deployment) -> bool:
    """Return whether domains are assigned; after a rollback they are not, until a promotion."""
    is_enabled = project.settings.get("autoAssignCustomDomains", True)
    return bool(deployment.auto_assign and is_enabled and not project.is_rolled_back)


def make_live(platform: PlatformState, project: Project, deployment: Deployment) -> None:
    """Make a deployment the live one in production."""
    for other in platform.deployments.values():
        if other.project == project.id and project.host in other.alias:
            other.alias.remove(project.host)
    if project.production != deployment.id:
        project.history.append(deployment.id)
    deployment.was_live, deployment.substate = True, "PROMOTED"
    deployment.step = ASSIGNED
    deployment.alias.append(project.host)
