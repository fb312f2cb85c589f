"""Change the live deployment: promotion and instant rollback."""

from __future__ import annotations

from typing import Any

from tests.vercel.fake.routes.deployment_response import can_roll_back_to
from tests.vercel.fake.routes.deployments import find_deployment
from tests.vercel.fake.routes.projects import Project, find_project
from tests.vercel.fake.routes.rolling_releases import abort_release, begin_release, is_active
from tests.vercel.fake.state.deployment import Deployment
from tests.vercel.fake.state.progress import make_live
from tests.vercel.fake.transport.request import ApiError, Request, Response
from tests.vercel.fake.transport.routing import route

STATES = ("pending", "in-progress", "succeeded")


@route("POST", "projects/{project}/promote/{deployment}", 9, 10)
def promote(request: Request) -> Response:
    """Request a promotion; `lastAliasRequest` of the project reports its progress."""
    project, deployment = _find_project_and_deployment(request)
    if deployment.target != "production":
        raise ApiError(422, "unprocessable_entity", "It is no production deployment")
    _check_ready(deployment)
    if project.production == deployment.id and not project.is_rolled_back:
        raise ApiError(409, "conflict", "It is the current production deployment already")
    if project.rolling_config and project.production and project.production != deployment.id:
        if is_active(project):
            assert project.rolling is not None
            project.rolling.queued = deployment.id
            return Response(status=202, body={})
        begin_release(request.platform, project, deployment)
        return Response(status=201, body={})
    _start_alias_request(request, project, deployment, "promote")
    return Response(status=201, body={})


@route("POST", "projects/{project}/rollback/{deployment}", 1, 9)
def rollback(request: Request) -> Response:
    """Request a rollback; to the current deployment it aborts a rolling release."""
    project, deployment = _find_project_and_deployment(request)
    _check_ready(deployment)
    if is_active(project) and project.production == deployment.id:
        abort_release(request.platform, project)
        return Response(status=201, body={})
    if project.production == deployment.id:
        raise ApiError(409, "conflict", "It is the current production deployment already")
    if not deployment.was_live:
        raise ApiError(422, "unprocessable_entity", "It never was in production")
    if not can_roll_back_to(request, project, deployment):
        text = "The plan allows to go back to the previous production deployment only."
        raise ApiError(402, "payment_required", text)
    _start_alias_request(request, project, deployment, "rollback")
    return Response(status=201, body={})


@route("GET", "projects/{project}/promote/aliases", 1, 9)
def list_promote_aliases(request: Request) -> dict[str, Any]:
    return _list_aliases(request)


@route("GET", "projects/{project}/rollback/aliases", 1, 9)
def list_rollback_aliases(request: Request) -> dict[str, Any]:
    return _list_aliases(request)


def advance_alias_request(request: Request, project: Project) -> None:
    """Advance the promotion or rollback by one step."""
    alias_request = project.alias_request
    if alias_request is None or alias_request["jobStatus"] not in STATES[:2]:
        return
    step = STATES.index(alias_request["jobStatus"]) + 1 if request.platform.build_speed.polls else 2
    if request.platform.fails_alias_requests:
        alias_request["jobStatus"] = "failed"
        return
    alias_request["jobStatus"] = STATES[step]
    if STATES[step] == "succeeded":
        make_live(
            request.platform, project, request.platform.deployments[alias_request["toDeploymentId"]]
        )
        project.is_rolled_back = alias_request["type"] == "rollback"


def _find_project_and_deployment(request: Request) -> tuple[Project, Deployment]:
    project = find_project(request, request["project"])
    deployment = find_deployment(request, request["deployment"])
    if deployment.project != project.id:
        raise ApiError(404, "not_found", "Deployment not found")
    return project, deployment


def _check_ready(deployment: Deployment) -> None:
    if not deployment.is_ready:
        raise ApiError(422, "unprocessable_entity", f"The deployment is {deployment.state}")


def _start_alias_request(
    request: Request, project: Project, deployment: Deployment, operation: str
) -> None:
    project.alias_request = {
        "fromDeploymentId": project.production or None,
        "toDeploymentId": deployment.id,
        "jobStatus": "pending",
        "requestedAt": request.platform.now(),
        "type": operation,
    }


def _list_aliases(request: Request) -> dict[str, Any]:
    project = find_project(request, request["project"])
    status = (project.alias_request or {}).get("jobStatus", "")
    alias = {"alias": project.host, "id": project.id, "status": "completed"}
    if status == "failed":
        alias["status"] = "failed"
    is_included = status and (not request.has_flag("failedOnly") or status == "failed")
    pages = {"count": int(bool(is_included)), "next": None, "prev": None}
    return {"aliases": [alias] if is_included else [], "pagination": pages}
