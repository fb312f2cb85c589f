"""Environment variables of a project."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from tests.vercel.fake.accounts import new_id
from tests.vercel.fake.call import Answer, Call, Refused
from tests.vercel.fake.projects import Project, find_project
from tests.vercel.fake.routes import route

STAGES = ("production", "preview", "development")
TYPES = ("plain", "encrypted", "sensitive", "system")
MOST_BYTES = 64 * 1024


@dataclasses.dataclass(kw_only=True)
class Variable:
    id: str
    key: str
    value: str
    type: str
    target: list[str]
    environments: list[str]  # ids of custom ones
    created: int
    branch: str = ""
    comment: str = ""

    def answer(self, *, decrypt: bool = False) -> dict[str, Any]:
        """What the API shows: an encrypted value only where asked for, a sensitive one never."""
        hidden = "" if self.type == "sensitive" else f"encrypted:{self.id}"
        shown = self.type == "plain" or (decrypt and self.type != "sensitive")
        about: dict[str, Any] = {
            "id": self.id,
            "key": self.key,
            "value": self.value if shown else hidden,
            "type": self.type,
            "target": self.target,
            "customEnvironmentIds": self.environments,
            "configurationId": None,
            "createdAt": self.created,
            "updatedAt": self.created,
        }
        branch = {"gitBranch": self.branch} if self.branch else {}
        return {**about, **branch, **({"comment": self.comment} if self.comment else {})}

    def meets(self, other: Variable) -> bool:
        """Whether both would be one variable somewhere."""
        here = {*self.target, *self.environments}
        there = {*other.target, *other.environments}
        return self.key == other.key and self.branch == other.branch and bool(here & there)


def values_for(project: Project, target: str, environment: str) -> dict[str, str]:
    """What a deployment is given; bound when it is created."""
    stage = "production" if target in {"production", "staging"} else "preview"
    found = {}
    for variable in project.env.values():
        where = environment in variable.environments if environment else stage in variable.target
        if where and not variable.branch:
            found[variable.key] = variable.value
    return found


def refuse_too_much(values: Mapping[str, str]) -> None:
    """:raises Refused: for more than 64 KB of names and values."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in values.items())
    if size > MOST_BYTES:
        text = "The total size of Environment Variables, names and values, is limited to 64 KB."
        raise Refused(400, "env_size_exceeded", text)


def set_variables(
    call: Call, project: Project, items: list[dict[str, Any]], *, upsert: bool
) -> tuple[list[Variable], list[Refused]]:
    """Create each that can be; those that were, and why others were not."""
    made, failed = [], []
    for item in items:
        try:
            variable = _read(call, project, item)
            _keep(call, project, variable, upsert=upsert)
            made.append(variable)
        except Refused as refused:
            told = {"envVarKey": item.get("key"), "key": item.get("key")}
            refused.extra = {**told, "target": item.get("target"), **refused.extra}
            failed.append(refused)
    return made, failed


@route("POST", "projects/{project}/env", 9, 10)
def create(call: Call) -> Answer:
    """One, or several in a list; if some fail, what was created is told with what was not."""
    project, told = find_project(call, call["project"]), call.json()
    items = told if isinstance(told, list) else [told]
    made, failed = set_variables(call, project, items, upsert=call.on("upsert"))
    forced = any(refused.extra["key"] in call.world.refused_env for refused in failed)
    if failed and not made and not forced:
        raise failed[0]
    shown = [variable.answer(decrypt=True) for variable in made]
    created: Any = shown if isinstance(told, list) or not shown else shown[0]
    errors = [{"error": refused.error} for refused in failed]
    return Answer(status=201, body={"created": created, "failed": errors})


@route("GET", "projects/{project}/env", 8, 9, 10)
def list_variables(call: Call) -> dict[str, Any]:
    project = find_project(call, call["project"])
    stage, wanted = call.asked("target"), call.asked("customEnvironmentId")
    shown = [
        {**variable.answer(decrypt=call.on("decrypt")), "securityIssues": []}
        for variable in project.env.values()
        if (not stage or stage in variable.target)
        and (not wanted or wanted in variable.environments)
        and call.asked("gitBranch", variable.branch) in {variable.branch, ""}
    ]
    return {"envs": shown, "hiddenProductionEnvCount": 0}


@route("GET", "projects/{project}/env/{id}", 1)
def get(call: Call) -> dict[str, Any]:
    """One, with its value unless it is sensitive."""
    variable = _find(find_project(call, call["project"]), call["id"])
    return {**variable.answer(decrypt=True), "decrypted": variable.type != "sensitive"}


@route("PATCH", "projects/{project}/env/{id}", 9, 10)
def change(call: Call) -> dict[str, Any]:
    project, told = find_project(call, call["project"]), call.told()
    known = _find(project, call["id"])
    if known.type == "sensitive" and told.get("type", "sensitive") != "sensitive":
        raise Refused(400, "bad_request", "A sensitive variable stays sensitive")
    now = {"key": known.key, "value": known.value, "type": known.type, "target": known.target}
    where = {"customEnvironmentIds": known.environments, "gitBranch": known.branch}
    changed = _read(call, project, {**now, **where, "comment": known.comment, **told})
    changed.id = known.id
    del project.env[known.id]
    try:
        _keep(call, project, changed, upsert=False)
    except Refused:
        project.env[known.id] = known
        raise
    return changed.answer(decrypt=True)


@route("DELETE", "projects/{project}/env/{id}", 8, 9, 10)
def delete(call: Call) -> dict[str, Any]:
    project = find_project(call, call["project"])
    return project.env.pop(_find(project, call["id"]).id).answer()


@route("DELETE", "projects/{project}/env", 1)
def delete_some(call: Call) -> dict[str, Any]:
    """Delete those of the ids that exist."""
    project, ids = find_project(call, call["project"]), call.told().get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= 1000:
        raise Refused(400, "bad_request", "`ids` should be a list of 1 to 1000")
    gone = [each for each in ids if project.env.pop(each, None)]
    return {"deleted": len(gone), "ids": gone}


@route("GET", "env/pull/{project}/{stage}", 1, 3)
def pull(call: Call) -> dict[str, Any]:
    """All values of a stage that may be read, for the command line."""
    project = find_project(call, call["project"])
    readable = [v for v in project.env.values() if v.type != "sensitive"]
    values = {v.key: v.value for v in readable if call["stage"] in v.target}
    return {"env": values, "buildEnv": values}


def _find(project: Project, id: str) -> Variable:
    if id not in project.env:
        raise Refused(404, "not_found", "The environment variable was not found")
    return project.env[id]


def _read(call: Call, project: Project, item: dict[str, Any]) -> Variable:
    key, value = item.get("key"), item.get("value")
    if key in call.world.refused_env:
        raise Refused(400, *call.world.refused_env[key])
    if not isinstance(key, str) or not isinstance(value, str):
        raise Refused(400, "bad_request", "Invalid request: `key` and `value` should be strings")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
        raise Refused(400, "INVALID_CHARS", f'The name "{key}" has characters that are not allowed')
    target = item.get("target") or []
    variable = Variable(
        id=new_id("env").removeprefix("env_"),
        key=key,
        value=value,
        type=item.get("type", ""),
        target=[target] if isinstance(target, str) else list(target),
        environments=list(item.get("customEnvironmentIds") or []),
        created=call.world.now(),
        branch=item.get("gitBranch") or "",
        comment=item.get("comment") or "",
    )
    _check(project, variable)
    return variable


def _check(project: Project, variable: Variable) -> None:
    if variable.type not in TYPES:
        raise Refused(400, "bad_request", f"Invalid request: `type` should be one of {TYPES}")
    if not set(variable.target) <= set(STAGES) or not (variable.target or variable.environments):
        raise Refused(400, "bad_request", f"Invalid request: `target` should be of {STAGES}")
    for environment in variable.environments:
        if environment not in project.environments:
            raise Refused(400, "bad_request", f"There is no custom environment {environment}")
    if variable.type == "sensitive" and "development" in variable.target:
        text = "You cannot set a Sensitive Environment Variable's target to development."
        raise Refused(400, "BAD_REQUEST", text)
    if len(variable.comment) > 500:
        raise Refused(400, "bad_request", "`comment` has at most 500 characters")


def _keep(call: Call, project: Project, variable: Variable, *, upsert: bool) -> None:
    """Add it, or with `upsert` put it in place of one for the very same environments."""
    for known in list(project.env.values()):
        if not known.meets(variable):
            continue
        places = (sorted(known.target), sorted(known.environments))
        if not upsert or places != (sorted(variable.target), sorted(variable.environments)):
            text = (
                f'A variable with the name "{variable.key}" already exists for the target '
                f"{','.join([*known.target, *known.environments])} on branch undefined"
            )
            raise Refused(400, "ENV_CONFLICT", text)
        variable.id, variable.created = known.id, known.created
    _refuse_size(project, variable)
    project.env[variable.id] = variable


def _refuse_size(project: Project, variable: Variable) -> None:
    for place in (*variable.target, *variable.environments):
        others = project.env.values()
        here = {v.key: v.value for v in others if place in {*v.target, *v.environments}}
        refuse_too_much({**here, variable.key: variable.value})
