"""Deployments: get, list, cancel and delete, and list their files."""

from __future__ import annotations

import stat
from typing import Any

from tests.vercel.fake.routes.deployment_response import (
    can_roll_back_to,
    render_deployment,
    render_list_item,
)
from tests.vercel.fake.routes.projects import find_project
from tests.vercel.fake.state.deployment import FAILED_STATES, Deployment, Outcome
from tests.vercel.fake.state.progress import advance
from tests.vercel.fake.transport.request import ApiError, Request
from tests.vercel.fake.transport.routing import UNVERSIONED, route


def find_deployment(request: Request, id_or_host: str) -> Deployment:
    """:raises Refused: 404, when this owner has none of that id, host or alias."""
    alias = request.platform.aliases.get(id_or_host)
    name = alias.deployment if alias else id_or_host
    for deployment in request.platform.deployments.values():
        is_own = deployment.owner == request.scope and not deployment.is_deleted
        if is_own and name in {deployment.id, deployment.url}:
            return deployment
    for project in request.platform.projects.values():
        if project.host == id_or_host and project.production and project.owner == request.scope:
            return request.platform.deployments[project.production]
    text = f'Can\'t find the deployment "{id_or_host}" under the context "{request.scope}"'
    raise ApiError(404, "not_found", text)


@route("GET", "deployments/{id}", 10, 11, 12, 13, UNVERSIONED)
def get_deployment(request: Request) -> dict[str, Any]:
    """Return a deployment; each request advances it."""
    deployment = find_deployment(request, request["id"])
    deployment.polls += 1
    advance(request.platform, deployment)
    return render_deployment(request, deployment)


@route("GET", "deployments", 3, 4, 5, 6, 7)
def list_deployments(request: Request) -> dict[str, Any]:
    """List deployments, newest first; `pagination.next` is `until` of the next page."""
    for deployment in request.platform.deployments.values():
        advance(request.platform, deployment)
    matching = [d for d in request.platform.deployments.values() if _matches_query(request, d)]
    matching.sort(key=lambda deployment: deployment.created, reverse=True)
    limit = request.get_int("limit", 20)
    if not 1 <= limit <= 100:
        raise ApiError(400, "bad_request", "`limit` should be between 1 and 100")
    page = matching[:limit]
    until = page[-1].created if len(matching) > limit else None
    pages = {"count": len(page), "next": until, "prev": page[0].created + 1 if page else None}
    return {"deployments": [render_list_item(request, d) for d in page], "pagination": pages}


@route("PATCH", "deployments/{id}/cancel", 12)
def cancel_deployment(request: Request) -> dict[str, Any]:
    deployment = find_deployment(request, request["id"])
    advance(request.platform, deployment)
    if deployment.is_ready or deployment.state in FAILED_STATES:
        raise ApiError(400, "bad_request", "Only deployments that are building can be cancelled")
    deployment.end_state = "CANCELED"
    deployment.outcome = Outcome(state="CANCELED", code="CANCELED", message="Cancelled")
    return render_deployment(request, deployment)


@route("DELETE", "deployments/{id}", 9, 11, 13, UNVERSIONED)
def delete_deployment(request: Request) -> dict[str, Any]:
    deployment = find_deployment(request, request.get_query("url") or request["id"])
    project = request.platform.projects[deployment.project]
    deployment.is_deleted = True
    project.history = [
        deployment_id for deployment_id in project.history if deployment_id != deployment.id
    ]
    return {"uid": deployment.id, "state": "DELETED"}


@route("GET", "deployments/{id}/builds", 11)
def list_builds(request: Request) -> dict[str, Any]:
    """List the builds; a prebuilt deployment has none."""
    find_deployment(request, request["id"])
    return {"builds": []}


@route("GET", "deployments/{id}/files", 6)
def list_files(request: Request) -> list[dict[str, Any]]:
    """Return the files as a tree."""
    root: dict[str, Any] = {}
    for path, mode in find_deployment(request, request["id"]).files.items():
        directory = root
        *folders, name = path.split("/")
        for folder in folders:
            directory = directory.setdefault(folder, {})
        directory[name] = mode
    return _render_tree(root)


def _render_tree(folder: dict[str, Any]) -> list[dict[str, Any]]:
    items = []
    for name, item in folder.items():
        if isinstance(item, dict):
            children = {"children": _render_tree(item), "mode": 0o040755}
            items.append({"name": name, "type": "directory", **children})
        else:
            file_type = "symlink" if stat.S_ISLNK(item) else "file"
            items.append({"name": name, "type": file_type, "mode": item, "uid": name})
    return items


def _matches_query(request: Request, deployment: Deployment) -> bool:
    if deployment.owner != request.scope or deployment.is_deleted:
        return False
    project = request.platform.projects[deployment.project]
    if (
        request.get_query("projectId")
        and find_project(request, request.get_query("projectId")) is not project
    ):
        return False
    if request.has_flag("rollbackCandidate") and not can_roll_back_to(request, project, deployment):
        return False
    states = request.get_query("state").upper().split(",") if request.get_query("state") else None
    return (
        request.get_query("app", project.name) == project.name
        and (states is None or deployment.state in states)
        and _matches_time(request, deployment)
        and _matches_target(request, deployment)
        and _matches_meta(request, deployment)
    )


def _matches_time(request: Request, deployment: Deployment) -> bool:
    since, until = request.get_int("since", 0), request.get_int("until", 0)
    return since <= deployment.created and (not until or deployment.created < until)


def _matches_target(request: Request, deployment: Deployment) -> bool:
    target = request.get_query("target")
    project = request.platform.projects[deployment.project]
    environment = project.environments.get(deployment.environment)
    names = {environment.slug, environment.id} if environment else {deployment.target or "preview"}
    return not target or target in names


def _matches_meta(request: Request, deployment: Deployment) -> bool:
    """Return whether `meta-NAME=VALUE`, `branch` and `sha` all match."""
    git = deployment.git or {}
    conditions = {
        name: values[-1] for name, values in request.query.items() if name.startswith("meta-")
    }
    return (
        all(deployment.meta.get(name[5:]) == value for name, value in conditions.items())
        and request.get_query("branch", git.get("commitRef", "")) == git.get("commitRef", "")
        and request.get_query("sha", git.get("commitSha", "")) == git.get("commitSha", "")
    )
