"""Deployments: looked at, listed, cancelled, deleted, and the files of one."""

from __future__ import annotations

import stat
from typing import Any

from tests.vercel.fake.call import Call, Refused
from tests.vercel.fake.deployed import deployment_answer, listed, may_go_back
from tests.vercel.fake.lifecycle import ENDS, Deployment, Outcome
from tests.vercel.fake.progress import advance
from tests.vercel.fake.projects import find_project
from tests.vercel.fake.routes import UNVERSIONED, route


def find_deployment(call: Call, id_or_host: str) -> Deployment:
    """:raises Refused: 404, when this owner has none of that id, host or alias."""
    known = call.world.aliases.get(id_or_host)
    wanted = known.deployment if known else id_or_host
    for deployment in call.world.deployments.values():
        mine = deployment.owner == call.scope and not deployment.deleted
        if mine and wanted in {deployment.id, deployment.url}:
            return deployment
    for project in call.world.projects.values():
        if project.host == id_or_host and project.production and project.owner == call.scope:
            return call.world.deployments[project.production]
    text = f'Can\'t find the deployment "{id_or_host}" under the context "{call.scope}"'
    raise Refused(404, "not_found", text)


@route("GET", "deployments/{id}", 10, 11, 12, 13, UNVERSIONED)
def get(call: Call) -> dict[str, Any]:
    """Show it; each look lets it come along."""
    deployment = find_deployment(call, call["id"])
    deployment.looks += 1
    advance(call.world, deployment)
    return deployment_answer(call, deployment)


@route("GET", "deployments", 3, 4, 5, 6, 7)
def list_deployments(call: Call) -> dict[str, Any]:
    """The newest first; `until` of the next page is `pagination.next`."""
    for deployment in call.world.deployments.values():
        advance(call.world, deployment)
    wanted = [d for d in call.world.deployments.values() if _wanted(call, d)]
    wanted.sort(key=lambda deployment: deployment.created, reverse=True)
    limit = call.number("limit", 20)
    if not 1 <= limit <= 100:
        raise Refused(400, "bad_request", "`limit` should be between 1 and 100")
    page = wanted[:limit]
    until = page[-1].created if len(wanted) > limit else None
    pages = {"count": len(page), "next": until, "prev": page[0].created + 1 if page else None}
    return {"deployments": [listed(call, d) for d in page], "pagination": pages}


@route("PATCH", "deployments/{id}/cancel", 12)
def cancel(call: Call) -> dict[str, Any]:
    deployment = find_deployment(call, call["id"])
    advance(call.world, deployment)
    if deployment.ready or deployment.state in ENDS:
        raise Refused(400, "bad_request", "Only deployments that are building can be cancelled")
    deployment.ended = "CANCELED"
    deployment.outcome = Outcome(state="CANCELED", code="CANCELED", message="Cancelled")
    return deployment_answer(call, deployment)


@route("DELETE", "deployments/{id}", 9, 11, 13, UNVERSIONED)
def delete(call: Call) -> dict[str, Any]:
    deployment = find_deployment(call, call.asked("url") or call["id"])
    project = call.world.projects[deployment.project]
    deployment.deleted = True
    project.history = [past for past in project.history if past != deployment.id]
    return {"uid": deployment.id, "state": "DELETED"}


@route("GET", "deployments/{id}/builds", 11)
def list_builds(call: Call) -> dict[str, Any]:
    """A prebuilt deployment has none."""
    find_deployment(call, call["id"])
    return {"builds": []}


@route("GET", "deployments/{id}/files", 6)
def list_files(call: Call) -> list[dict[str, Any]]:
    """The files as a tree."""
    root: dict[str, Any] = {}
    for path, mode in find_deployment(call, call["id"]).files.items():
        at = root
        *folders, name = path.split("/")
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = mode
    return _tree(root)


def _tree(folder: dict[str, Any]) -> list[dict[str, Any]]:
    shown = []
    for name, item in folder.items():
        if isinstance(item, dict):
            inside = {"children": _tree(item), "mode": 0o040755}
            shown.append({"name": name, "type": "directory", **inside})
        else:
            kind = "symlink" if stat.S_ISLNK(item) else "file"
            shown.append({"name": name, "type": kind, "mode": item, "uid": name})
    return shown


def _wanted(call: Call, deployment: Deployment) -> bool:
    if deployment.owner != call.scope or deployment.deleted:
        return False
    project = call.world.projects[deployment.project]
    if call.asked("projectId") and find_project(call, call.asked("projectId")) is not project:
        return False
    if call.on("rollbackCandidate") and not may_go_back(call, project, deployment):
        return False
    states = call.asked("state").upper().split(",") if call.asked("state") else None
    return (
        call.asked("app", project.name) == project.name
        and (states is None or deployment.state in states)
        and _when(call, deployment)
        and _target(call, deployment)
        and _meta(call, deployment)
    )


def _when(call: Call, deployment: Deployment) -> bool:
    since, until = call.number("since", 0), call.number("until", 0)
    return since <= deployment.created and (not until or deployment.created < until)


def _target(call: Call, deployment: Deployment) -> bool:
    wanted = call.asked("target")
    project = call.world.projects[deployment.project]
    known = project.environments.get(deployment.environment)
    names = {known.slug, known.id} if known else {deployment.target or "preview"}
    return not wanted or wanted in names


def _meta(call: Call, deployment: Deployment) -> bool:
    """`meta-NAME=VALUE`, `branch` and `sha`; all that are asked for must fit."""
    git = deployment.git or {}
    asked = {name: values[-1] for name, values in call.query.items() if name.startswith("meta-")}
    return (
        all(deployment.meta.get(name[5:]) == value for name, value in asked.items())
        and call.asked("branch", git.get("commitRef", "")) == git.get("commitRef", "")
        and call.asked("sha", git.get("commitSha", "")) == git.get("commitSha", "")
    )
