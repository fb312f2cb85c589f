"""Environment variables of a project."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from tests.vercel.fake.routes.accounts import new_id
from tests.vercel.fake.routes.projects import Project, find_project
from tests.vercel.fake.transport.request import ApiError, Request, Response
from tests.vercel.fake.transport.routing import route

STAGES = ("production", "preview", "development")
TYPES = ("plain", "encrypted", "sensitive", "system")
MAX_BYTES = 64 * 1024


@dataclasses.dataclass(kw_only=True)
class Variable:
    id: str
    key: str
    value: str
    type: str
    target: list[str]
    environments: list[str]  # ids of custom environments
    created: int
    branch: str = ""
    comment: str = ""

    def to_json(self, *, decrypt: bool = False) -> dict[str, Any]:
        """Render the variable: encrypted values only on request, sensitive values never."""
        placeholder = "" if self.type == "sensitive" else f"encrypted:{self.id}"
        is_readable = self.type == "plain" or (decrypt and self.type != "sensitive")
        content: dict[str, Any] = {
            "id": self.id,
            "key": self.key,
            "value": self.value if is_readable else placeholder,
            "type": self.type,
            "target": self.target,
            "customEnvironmentIds": self.environments,
            "configurationId": None,
            "createdAt": self.created,
            "updatedAt": self.created,
        }
        branch = {"gitBranch": self.branch} if self.branch else {}
        return {**content, **branch, **({"comment": self.comment} if self.comment else {})}

    def overlaps(self, other: Variable) -> bool:
        """Return whether both define the same variable in some environment."""
        environments = {*self.target, *self.environments}
        other_environments = {*other.target, *other.environments}
        return (
            self.key == other.key
            and self.branch == other.branch
            and bool(environments & other_environments)
        )


def get_bound_values(project: Project, target: str, environment: str) -> dict[str, str]:
    """Return the values that a new deployment gets."""
    stage = "production" if target in {"production", "staging"} else "preview"
    values = {}
    for variable in project.env.values():
        applies = environment in variable.environments if environment else stage in variable.target
        if applies and not variable.branch:
            values[variable.key] = variable.value
    return values


def check_total_size(values: Mapping[str, str]) -> None:
    """:raises ApiError: for more than 64 KB of names and values."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in values.items())
    if size > MAX_BYTES:
        text = "The total size of Environment Variables, names and values, is limited to 64 KB."
        raise ApiError(400, "env_size_exceeded", text)


def set_variables(
    request: Request, project: Project, items: list[dict[str, Any]], *, upsert: bool
) -> tuple[list[Variable], list[ApiError]]:
    """Create each that can be; those that were, and why others were not."""
    stored, errors = [], []
    for item in items:
        try:
            variable = _parse_variable(request, project, item)
            _store(request, project, variable, upsert=upsert)
            stored.append(variable)
        except ApiError as error:
            names = {"envVarKey": item.get("key"), "key": item.get("key")}
            error.extra = {**names, "target": item.get("target"), **error.extra}
            errors.append(error)
    return stored, errors


@route("POST", "projects/{project}/env", 9, 10)
def create_variables(request: Request) -> Response:
    """Create one variable, or several; failures are returned beside the created ones."""
    project, body = find_project(request, request["project"]), request.parse_json()
    items = body if isinstance(body, list) else [body]
    stored, failures = set_variables(request, project, items, upsert=request.has_flag("upsert"))
    is_injected = any(
        error.extra["key"] in request.platform.rejected_variables for error in failures
    )
    if failures and not stored and not is_injected:
        raise failures[0]
    rendered = [variable.to_json(decrypt=True) for variable in stored]
    created: Any = rendered if isinstance(body, list) or not rendered else rendered[0]
    errors = [{"error": error.error} for error in failures]
    return Response(status=201, body={"created": created, "failed": errors})


@route("GET", "projects/{project}/env", 8, 9, 10)
def list_variables(request: Request) -> dict[str, Any]:
    project = find_project(request, request["project"])
    stage, environment = request.get_query("target"), request.get_query("customEnvironmentId")
    items = [
        {**variable.to_json(decrypt=request.has_flag("decrypt")), "securityIssues": []}
        for variable in project.env.values()
        if (not stage or stage in variable.target)
        and (not environment or environment in variable.environments)
        and request.get_query("gitBranch", variable.branch) in {variable.branch, ""}
    ]
    return {"envs": items, "hiddenProductionEnvCount": 0}


@route("GET", "projects/{project}/env/{id}", 1)
def get_variable(request: Request) -> dict[str, Any]:
    """Return a variable, with its value unless it is sensitive."""
    variable = _find_variable(find_project(request, request["project"]), request["id"])
    return {**variable.to_json(decrypt=True), "decrypted": variable.type != "sensitive"}


@route("PATCH", "projects/{project}/env/{id}", 9, 10)
def update_variable(request: Request) -> dict[str, Any]:
    project, body = find_project(request, request["project"]), request.parse_object()
    variable = _find_variable(project, request["id"])
    if variable.type == "sensitive" and body.get("type", "sensitive") != "sensitive":
        raise ApiError(400, "bad_request", "A sensitive variable stays sensitive")
    current = {
        "key": variable.key,
        "value": variable.value,
        "type": variable.type,
        "target": variable.target,
    }
    scope = {"customEnvironmentIds": variable.environments, "gitBranch": variable.branch}
    updated = _parse_variable(
        request, project, {**current, **scope, "comment": variable.comment, **body}
    )
    updated.id = variable.id
    del project.env[variable.id]
    try:
        _store(request, project, updated, upsert=False)
    except ApiError:
        project.env[variable.id] = variable
        raise
    return updated.to_json(decrypt=True)


@route("DELETE", "projects/{project}/env/{id}", 8, 9, 10)
def delete_variable(request: Request) -> dict[str, Any]:
    project = find_project(request, request["project"])
    return project.env.pop(_find_variable(project, request["id"]).id).to_json()


@route("DELETE", "projects/{project}/env", 1)
def delete_variables(request: Request) -> dict[str, Any]:
    """Delete those of the ids that exist."""
    project, ids = find_project(request, request["project"]), request.parse_object().get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= 1000:
        raise ApiError(400, "bad_request", "`ids` should be a list of 1 to 1000")
    deleted = [variable_id for variable_id in ids if project.env.pop(variable_id, None)]
    return {"deleted": len(deleted), "ids": deleted}


@route("GET", "env/pull/{project}/{stage}", 1, 3)
def pull_variables(request: Request) -> dict[str, Any]:
    """Return all readable values of a stage, for the command line."""
    project = find_project(request, request["project"])
    readable = [v for v in project.env.values() if v.type != "sensitive"]
    values = {v.key: v.value for v in readable if request["stage"] in v.target}
    return {"env": values, "buildEnv": values}


def _find_variable(project: Project, id: str) -> Variable:
    if id not in project.env:
        raise ApiError(404, "not_found", "The environment variable was not found")
    return project.env[id]


def _parse_variable(request: Request, project: Project, item: dict[str, Any]) -> Variable:
    key, value = item.get("key"), item.get("value")
    if key in request.platform.rejected_variables:
        raise ApiError(400, *request.platform.rejected_variables[key])
    if not isinstance(key, str) or not isinstance(value, str):
        raise ApiError(400, "bad_request", "Invalid request: `key` and `value` should be strings")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
        raise ApiError(
            400, "INVALID_CHARS", f'The name "{key}" has characters that are not allowed'
        )
    target = item.get("target") or []
    variable = Variable(
        id=new_id("env").removeprefix("env_"),
        key=key,
        value=value,
        type=item.get("type", ""),
        target=[target] if isinstance(target, str) else list(target),
        environments=list(item.get("customEnvironmentIds") or []),
        created=request.platform.now(),
        branch=item.get("gitBranch") or "",
        comment=item.get("comment") or "",
    )
    _validate(project, variable)
    return variable


def _validate(project: Project, variable: Variable) -> None:
    if variable.type not in TYPES:
        raise ApiError(400, "bad_request", f"Invalid request: `type` should be one of {TYPES}")
    if not set(variable.target) <= set(STAGES) or not (variable.target or variable.environments):
        raise ApiError(400, "bad_request", f"Invalid request: `target` should be of {STAGES}")
    for environment in variable.environments:
        if environment not in project.environments:
            raise ApiError(400, "bad_request", f"There is no custom environment {environment}")
    if variable.type == "sensitive" and "development" in variable.target:
        text = "You cannot set a Sensitive Environment Variable's target to development."
        raise ApiError(400, "BAD_REQUEST", text)
    if len(variable.comment) > 500:
        raise ApiError(400, "bad_request", "`comment` has at most 500 characters")


def _store(request: Request, project: Project, variable: Variable, *, upsert: bool) -> None:
    """Store it; with `upsert`, replace a variable of exactly the same environments."""
    for existing in list(project.env.values()):
        if not existing.overlaps(variable):
            continue
        environments = (sorted(existing.target), sorted(existing.environments))
        if not upsert or environments != (sorted(variable.target), sorted(variable.environments)):
            text = (
                f'A variable with the name "{variable.key}" already exists for the target '
                f"{','.join([*existing.target, *existing.environments])} on branch undefined"
            )
            raise ApiError(400, "ENV_CONFLICT", text)
        variable.id, variable.created = existing.id, existing.created
    _check_size(project, variable)
    project.env[variable.id] = variable


def _check_size(project: Project, variable: Variable) -> None:
    for environment in (*variable.target, *variable.environments):
        variables = project.env.values()
        values = {v.key: v.value for v in variables if environment in {*v.target, *v.environments}}
        check_total_size({**values, variable.key: variable.value})
