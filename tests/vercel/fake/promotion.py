"""Production's users are pointed to another deployment: promote, and instant rollback."""

from __future__ import annotations

from typing import Any

from tests.vercel.fake.call import Answer, Call, Refused
from tests.vercel.fake.deployed import may_go_back
from tests.vercel.fake.deployments import find_deployment
from tests.vercel.fake.lifecycle import Deployment
from tests.vercel.fake.progress import serve
from tests.vercel.fake.projects import Project, find_project
from tests.vercel.fake.rolling import abort, begin, busy
from tests.vercel.fake.routes import route

STATES = ("pending", "in-progress", "succeeded")


@route("POST", "projects/{project}/promote/{deployment}", 9, 10)
def promote(call: Call) -> Answer:
    """Ask for it; `lastAliasRequest` of the project tells what comes of it."""
    project, deployment = _both(call)
    if deployment.target != "production":
        raise Refused(422, "unprocessable_entity", "It is no production deployment")
    _refuse_unready(deployment)
    if project.production == deployment.id and not project.went_back:
        raise Refused(409, "conflict", "It is the current production deployment already")
    if project.rolling_config and project.production and project.production != deployment.id:
        if busy(project):
            assert project.rolling is not None
            project.rolling.queued = deployment.id
            return Answer(status=202, body={})
        begin(call.world, project, deployment)
        return Answer(status=201, body={})
    _request(call, project, deployment, "promote")
    return Answer(status=201, body={})


@route("POST", "projects/{project}/rollback/{deployment}", 1, 9)
def rollback(call: Call) -> Answer:
    """Ask for it; to the current deployment it ends a rolling release."""
    project, deployment = _both(call)
    _refuse_unready(deployment)
    if busy(project) and project.production == deployment.id:
        abort(call.world, project)
        return Answer(status=201, body={})
    if project.production == deployment.id:
        raise Refused(409, "conflict", "It is the current production deployment already")
    if not deployment.served:
        raise Refused(422, "unprocessable_entity", "It never was in production")
    if not may_go_back(call, project, deployment):
        text = "The plan allows to go back to the previous production deployment only."
        raise Refused(402, "payment_required", text)
    _request(call, project, deployment, "rollback")
    return Answer(status=201, body={})


@route("GET", "projects/{project}/promote/aliases", 1, 9)
def promote_aliases(call: Call) -> dict[str, Any]:
    return _aliases(call)


@route("GET", "projects/{project}/rollback/aliases", 1, 9)
def rollback_aliases(call: Call) -> dict[str, Any]:
    return _aliases(call)


def look(call: Call, project: Project) -> None:
    """The request gets a step further each time somebody looks."""
    request = project.request
    if request is None or request["jobStatus"] not in STATES[:2]:
        return
    step = STATES.index(request["jobStatus"]) + 1 if call.world.pace.looks else 2
    if call.world.alias_fails:
        request["jobStatus"] = "failed"
        return
    request["jobStatus"] = STATES[step]
    if STATES[step] == "succeeded":
        serve(call.world, project, call.world.deployments[request["toDeploymentId"]])
        project.went_back = request["type"] == "rollback"


def _both(call: Call) -> tuple[Project, Deployment]:
    project = find_project(call, call["project"])
    deployment = find_deployment(call, call["deployment"])
    if deployment.project != project.id:
        raise Refused(404, "not_found", "Deployment not found")
    return project, deployment


def _refuse_unready(deployment: Deployment) -> None:
    if not deployment.ready:
        raise Refused(422, "unprocessable_entity", f"The deployment is {deployment.state}")


def _request(call: Call, project: Project, deployment: Deployment, kind: str) -> None:
    project.request = {
        "fromDeploymentId": project.production or None,
        "toDeploymentId": deployment.id,
        "jobStatus": "pending",
        "requestedAt": call.world.now(),
        "type": kind,
    }


def _aliases(call: Call) -> dict[str, Any]:
    project = find_project(call, call["project"])
    status = (project.request or {}).get("jobStatus", "")
    shown = {"alias": project.host, "id": project.id, "status": "completed"}
    if status == "failed":
        shown["status"] = "failed"
    wanted = status and (not call.on("failedOnly") or status == "failed")
    pages = {"count": int(bool(wanted)), "next": None, "prev": None}
    return {"aliases": [shown] if wanted else [], "pagination": pages}
