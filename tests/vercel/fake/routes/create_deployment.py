"""`POST /v13/deployments`: create from files, or from an earlier deployment."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from tests.vercel.fake.routes.accounts import new_id
from tests.vercel.fake.routes.custom_environments import find_environment
from tests.vercel.fake.routes.deployment_response import render_deployment
from tests.vercel.fake.routes.env_vars import check_total_size, get_bound_values
from tests.vercel.fake.routes.files import get_file_path, has_file
from tests.vercel.fake.routes.projects import Project, add_project, find_project
from tests.vercel.fake.sites.archives import extract_files
from tests.vercel.fake.sites.build_output import check_build_output
from tests.vercel.fake.state.deployment import Deployment, Outcome
from tests.vercel.fake.transport.request import ApiError, Request
from tests.vercel.fake.transport.routing import UNVERSIONED, route

MAX_FILES = 15_000
TARGETS = ("", "production", "staging")


@route("POST", "deployments", 12, 13, UNVERSIONED)
def create_deployment(request: Request) -> dict[str, Any]:
    """Create a deployment, unless files are missing or an identical one exists."""
    body = request.parse_object()
    _validate(body)
    contents = _collect_contents(request, body)
    project = _resolve_project(request, body)
    environment = _resolve_environment(project, body)
    identity = _compute_identity(body, contents)
    if request.platform.reuses_identical and not request.has_flag("forceNew"):
        for other in request.platform.deployments.values():
            is_identical = (other.project, other.identity) == (project.id, identity)
            if is_identical and other.is_ready and not other.is_deleted:
                return render_deployment(request, other)
    deployment = _build_deployment(request, body, project, environment, identity)
    _extract_files(request, deployment, contents)
    request.platform.deployments[deployment.id] = deployment
    return render_deployment(request, deployment)


def _validate(body: dict[str, Any]) -> None:
    if not isinstance(body.get("name"), str) or not body["name"]:
        text = "Invalid request: missing required property `name`."
        raise ApiError(400, "bad_request", text, keyword="required")
    if len(body.get("files") or []) > MAX_FILES:
        raise ApiError(400, "too_many_files", f"More than {MAX_FILES} files")
    if (body.get("target") or "") not in TARGETS:
        text = f"Invalid request: `target` should be one of {TARGETS[1:]}."
        raise ApiError(400, "bad_request", text, keyword="enum", dataPath=".target")
    meta = body.get("meta") or {}
    if len(meta) > 100 or any(not isinstance(v, str) or len(v) > 65_536 for v in meta.values()):
        raise ApiError(400, "bad_request", "`meta` has at most 100 keys, and strings as values")


def _resolve_project(request: Request, body: dict[str, Any]) -> Project:
    """Return the named project, or create one with the name of the deployment."""
    if body.get("project"):
        return find_project(request, body["project"])
    if body.get("deploymentId"):
        return request.platform.projects[_find_existing(request, body["deploymentId"]).project]
    try:
        return find_project(request, body["name"])
    except ApiError:
        if "projectSettings" not in body:
            text = "The `projectSettings` object is required for new projects, but is missing"
            raise ApiError(400, "missing_project_settings", text) from None
        return add_project(request, {"name": body["name"]})


def _resolve_environment(project: Project, body: dict[str, Any]) -> str:
    id_or_slug = body.get("customEnvironmentSlugOrId")
    return find_environment(project, id_or_slug).id if id_or_slug else ""


def _find_existing(request: Request, id: str) -> Deployment:
    deployment = request.platform.deployments.get(id)
    if deployment is None or deployment.owner != request.scope or deployment.is_deleted:
        raise ApiError(404, "not_found", "Deployment not found")
    return deployment


def _collect_contents(request: Request, body: dict[str, Any]) -> dict[str, tuple[Path, int]]:
    """:raises Refused: 400 `missing_files`, naming what has to be uploaded first."""
    if body.get("deploymentId"):
        deployment = _find_existing(request, body["deploymentId"])
        return {
            path: (deployment.directory / path, mode) for path, mode in deployment.files.items()
        }
    files = [_parse_file(request, item) for item in body.get("files") or []]
    missing = dict.fromkeys(
        sha for _, sha, _ in files if not has_file(request.platform, request.scope, sha)
    )
    if missing:
        raise ApiError(400, "missing_files", "Missing files", missing=list(missing))
    return {
        path: (get_file_path(request.platform, request.scope, sha), mode)
        for path, sha, mode in files
    }


def _parse_file(request: Request, item: dict[str, Any]) -> tuple[str, str, int]:
    """Return path, digest and mode; inline content is stored as if it had been uploaded."""
    try:
        path, mode = str(item["file"]), int(item.get("mode") or 0o100644)
        if "data" not in item:
            _check_size(request, str(item["sha"]), item.get("size"))
            return path, str(item["sha"]), mode
    except KeyError as error:
        raise ApiError(400, "bad_request", f"A file has no {error}") from None
    text = str(item["data"])
    content = base64.b64decode(text) if item.get("encoding") == "base64" else text.encode()
    sha = hashlib.sha1(content).hexdigest()
    target = get_file_path(request.platform, request.scope, sha)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return path, sha, mode


def _check_size(request: Request, sha: str, size: Any) -> None:
    file = get_file_path(request.platform, request.scope, sha)
    if size is not None and file.exists() and file.stat().st_size != size:
        raise ApiError(400, "bad_request", f"The size of {sha} is not {size}")


def _compute_identity(body: dict[str, Any], contents: dict[str, tuple[Path, int]]) -> str:
    files = {path: (str(file), mode) for path, (file, mode) in contents.items()}
    parts = [body.get(name) for name in ("target", "customEnvironmentSlugOrId", "env", "meta")]
    return hashlib.sha256(json.dumps([files, parts], sort_keys=True).encode()).hexdigest()


def _build_deployment(
    request: Request, body: dict[str, Any], project: Project, environment: str, identity: str
) -> Deployment:
    assert request.token is not None
    deployment_id = new_id("dpl")
    target = body.get("target") or ""
    existing = [d for d in request.platform.deployments.values() if d.project == project.id]
    if not existing and not environment:
        target = "production"  # the first deployment always is
    outcomes = request.platform.next_outcomes
    deployment = Deployment(
        id=deployment_id,
        name=project.name,
        project=project.id,
        owner=request.scope,
        creator=request.token.user,
        url=request.platform.open_host(deployment_id),
        created=request.platform.now(),
        target=target,
        environment=environment,
        directory=request.platform.store / "deployments" / deployment_id,
        files={},
        identity=identity,
        env={**get_bound_values(project, target, environment), **(body.get("env") or {})},
        build_env=tuple((body.get("build") or {}).get("env") or {}),
        meta=dict(body.get("meta") or {}),
        git=body.get("gitMetadata"),
        prebuilt=request.has_flag("prebuilt"),
        auto_assign=body.get("autoAssignCustomDomains", True) is not False,
        settings=body.get("projectSettings") or {},
        outcome=outcomes.pop(0) if outcomes else request.platform.default_outcome,
    )
    check_total_size(deployment.env)
    return deployment


def _extract_files(
    request: Request, deployment: Deployment, contents: dict[str, tuple[Path, int]]
) -> None:
    """Extract the files; errors in them appear in the build."""
    try:
        deployment.files = extract_files(contents, deployment.directory)
        if deployment.outcome == Outcome():
            check_build_output(request, deployment)
    except ValueError as error:
        deployment.outcome = Outcome(
            state="ERROR", code="BUILD_FAILED", message=str(error), step="buildStep"
        )
