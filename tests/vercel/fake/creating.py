"""`POST /v13/deployments`: from files, or again from an earlier deployment."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from tests.vercel.fake.accounts import new_id
from tests.vercel.fake.archives import lay_out
from tests.vercel.fake.building import refuse_what_cannot_be_built
from tests.vercel.fake.call import Call, Refused
from tests.vercel.fake.custom_environments import find_environment
from tests.vercel.fake.deployed import deployment_answer
from tests.vercel.fake.env_vars import refuse_too_much, values_for
from tests.vercel.fake.files import has, place
from tests.vercel.fake.lifecycle import Deployment, Outcome
from tests.vercel.fake.projects import Project, find_project, make_project
from tests.vercel.fake.routes import UNVERSIONED, route

MOST_FILES = 15_000
TARGETS = ("", "production", "staging")


@route("POST", "deployments", 12, 13, UNVERSIONED)
def create(call: Call) -> dict[str, Any]:
    """Create one, unless files are missing or one like it exists."""
    told = call.told()
    _check(told)
    contents = _contents(call, told)
    project = _project(call, told)
    environment = _environment(project, told)
    same = _sameness(told, contents)
    if call.world.dedupe and not call.on("forceNew"):
        for known in call.world.deployments.values():
            alike = (known.project, known.same) == (project.id, same)
            if alike and known.ready and not known.deleted:
                return deployment_answer(call, known)
    made = _make(call, told, project, environment, same)
    _lay_out(call, made, contents)
    call.world.deployments[made.id] = made
    return deployment_answer(call, made)


def _check(told: dict[str, Any]) -> None:
    if not isinstance(told.get("name"), str) or not told["name"]:
        text = "Invalid request: missing required property `name`."
        raise Refused(400, "bad_request", text, keyword="required")
    if len(told.get("files") or []) > MOST_FILES:
        raise Refused(400, "too_many_files", f"More than {MOST_FILES} files")
    if (told.get("target") or "") not in TARGETS:
        text = f"Invalid request: `target` should be one of {TARGETS[1:]}."
        raise Refused(400, "bad_request", text, keyword="enum", dataPath=".target")
    meta = told.get("meta") or {}
    if len(meta) > 100 or any(not isinstance(v, str) or len(v) > 65_536 for v in meta.values()):
        raise Refused(400, "bad_request", "`meta` has at most 100 keys, and strings as values")


def _project(call: Call, told: dict[str, Any]) -> Project:
    """The one that is named, or a new one of the deployment's name."""
    if told.get("project"):
        return find_project(call, told["project"])
    if told.get("deploymentId"):
        return call.world.projects[_earlier(call, told["deploymentId"]).project]
    try:
        return find_project(call, told["name"])
    except Refused:
        if "projectSettings" not in told:
            text = "The `projectSettings` object is required for new projects, but is missing"
            raise Refused(400, "missing_project_settings", text) from None
        return make_project(call, {"name": told["name"]})


def _environment(project: Project, told: dict[str, Any]) -> str:
    wanted = told.get("customEnvironmentSlugOrId")
    return find_environment(project, wanted).id if wanted else ""


def _earlier(call: Call, id: str) -> Deployment:
    known = call.world.deployments.get(id)
    if known is None or known.owner != call.scope or known.deleted:
        raise Refused(404, "not_found", "Deployment not found")
    return known


def _contents(call: Call, told: dict[str, Any]) -> dict[str, tuple[Path, int]]:
    """:raises Refused: 400 `missing_files`, naming what has to be uploaded first."""
    if told.get("deploymentId"):
        known = _earlier(call, told["deploymentId"])
        return {path: (known.directory / path, mode) for path, mode in known.files.items()}
    files = [_file(call, item) for item in told.get("files") or []]
    missing = dict.fromkeys(sha for _, sha, _ in files if not has(call.world, call.scope, sha))
    if missing:
        raise Refused(400, "missing_files", "Missing files", missing=list(missing))
    return {path: (place(call.world, call.scope, sha), mode) for path, sha, mode in files}


def _file(call: Call, item: dict[str, Any]) -> tuple[str, str, int]:
    """Path, digest and mode; content that came along is kept as if it had been uploaded."""
    try:
        path, mode = str(item["file"]), int(item.get("mode") or 0o100644)
        if "data" not in item:
            _check_size(call, str(item["sha"]), item.get("size"))
            return path, str(item["sha"]), mode
    except KeyError as error:
        raise Refused(400, "bad_request", f"A file has no {error}") from None
    text = str(item["data"])
    content = base64.b64decode(text) if item.get("encoding") == "base64" else text.encode()
    sha = hashlib.sha1(content).hexdigest()
    kept = place(call.world, call.scope, sha)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)
    return path, sha, mode


def _check_size(call: Call, sha: str, size: Any) -> None:
    kept = place(call.world, call.scope, sha)
    if size is not None and kept.exists() and kept.stat().st_size != size:
        raise Refused(400, "bad_request", f"The size of {sha} is not {size}")


def _sameness(told: dict[str, Any], contents: dict[str, tuple[Path, int]]) -> str:
    files = {path: (str(at), mode) for path, (at, mode) in contents.items()}
    parts = [told.get(name) for name in ("target", "customEnvironmentSlugOrId", "env", "meta")]
    return hashlib.sha256(json.dumps([files, parts], sort_keys=True).encode()).hexdigest()


def _make(
    call: Call, told: dict[str, Any], project: Project, environment: str, same: str
) -> Deployment:
    assert call.token is not None
    made_id = new_id("dpl")
    target = told.get("target") or ""
    mine = [d for d in call.world.deployments.values() if d.project == project.id]
    if not mine and not environment:
        target = "production"  # the first one is, whatever was asked for
    outcomes = call.world.outcomes
    made = Deployment(
        id=made_id,
        name=project.name,
        project=project.id,
        owner=call.scope,
        creator=call.token.user,
        url=call.world.open_host(made_id),
        created=call.world.now(),
        target=target,
        environment=environment,
        directory=call.world.store / "deployments" / made_id,
        files={},
        same=same,
        env={**values_for(project, target, environment), **(told.get("env") or {})},
        build_env=tuple((told.get("build") or {}).get("env") or {}),
        meta=dict(told.get("meta") or {}),
        git=told.get("gitMetadata"),
        prebuilt=call.on("prebuilt"),
        auto_assign=told.get("autoAssignCustomDomains", True) is not False,
        settings=told.get("projectSettings") or {},
        outcome=outcomes.pop(0) if outcomes else call.world.outcome,
    )
    refuse_too_much(made.env)
    return made


def _lay_out(call: Call, made: Deployment, contents: dict[str, tuple[Path, int]]) -> None:
    """Unpack the files; what is wrong with them shows while it is built."""
    try:
        made.files = lay_out(contents, made.directory)
        if made.outcome == Outcome():
            refuse_what_cannot_be_built(call, made)
    except ValueError as error:
        made.outcome = Outcome(
            state="ERROR", code="BUILD_FAILED", message=str(error), step="buildStep"
        )
