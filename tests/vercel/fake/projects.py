"""Projects: created, found, changed, deleted."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from tests.vercel.fake.accounts import new_id
from tests.vercel.fake.call import Answer, Call, Refused
from tests.vercel.fake.project_answer import project_answer
from tests.vercel.fake.routes import UNVERSIONED, route

if TYPE_CHECKING:
    from tests.vercel.fake.custom_environments import CustomEnvironment
    from tests.vercel.fake.env_vars import Variable
    from tests.vercel.fake.rolling import RollingRelease

PROTECTED = {"deploymentType": "all_except_custom_domains"}
CHANGEABLE = frozenset(
    "autoAssignCustomDomains autoExposeSystemEnvs framework name nodeVersion resourceConfig "
    "rootDirectory serverlessFunctionRegion skewProtectionMaxAge ssoProtection publicSource "
    "buildCommand devCommand installCommand outputDirectory commandForIgnoringBuildStep "
    "passwordProtection sourceFilesOutsideRootDirectory directoryListing".split()
)


@dataclasses.dataclass(kw_only=True)
class Project:
    """A project; `history` is what production's users saw, the present one last."""

    id: str
    owner: str
    name: str
    created: int
    host: str  # production's, open to everybody
    settings: dict[str, Any]
    env: dict[str, Variable] = dataclasses.field(default_factory=dict)
    environments: dict[str, CustomEnvironment] = dataclasses.field(default_factory=dict)
    bypass: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    history: list[str] = dataclasses.field(default_factory=list)
    request: dict[str, Any] | None = None  # the last to promote or go back
    went_back: bool = False  # then new deployments are staged until one is promoted
    rolling_config: dict[str, Any] | None = None
    rolling: RollingRelease | None = None

    @property
    def production(self) -> str:
        """The id of the deployment that production's users see; empty before the first."""
        return self.history[-1] if self.history else ""


def find_project(call: Call, id_or_name: str, name: str = "project") -> Project:
    """:raises Refused: 404, when this owner has none of that id or name."""
    for project in call.world.projects.values():
        if project.owner == call.scope and id_or_name in {project.id, project.name}:
            return project
    raise Refused(404, "not_found", f"{name.title()} not found")


def make_project(call: Call, told: dict[str, Any]) -> Project:
    """Create one.

    :raises Refused: for a name that is not allowed, or taken.
    """
    name = told.get("name")
    _check_name(name)
    if any(p.owner == call.scope and p.name == name for p in call.world.projects.values()):
        raise Refused(409, "conflict", f'Project "{name}" already exists, please use a new name.')
    settings = {"framework": None, "ssoProtection": dict(PROTECTED)}
    project = Project(
        id=new_id("prj"),
        owner=call.scope,
        name=str(name),
        created=call.world.now(),
        host=call.world.open_host(f"production:{call.scope}:{name}"),
        settings={**settings, **_settings(told)},
    )
    call.world.projects[project.id] = project
    return project


@route("POST", "projects", 1, 9, 10, 11)
def create(call: Call) -> dict[str, Any]:
    told = call.told()
    project = make_project(call, told)
    from tests.vercel.fake.env_vars import set_variables

    set_variables(call, project, told.get("environmentVariables") or [], upsert=False)
    return project_answer(call, project)


@route("GET", "projects", 9, 10, UNVERSIONED)
def list_projects(call: Call) -> dict[str, Any]:
    mine = [p for p in call.world.projects.values() if p.owner == call.scope]
    wanted = [p for p in reversed(mine) if call.asked("search") in p.name]
    shown = wanted[: call.number("limit", 20)]
    pages = {"count": len(shown), "next": None, "prev": None}
    return {"projects": [project_answer(call, p) for p in shown], "pagination": pages}


@route("GET", "projects/{project}", 2, 9, UNVERSIONED)
def get(call: Call) -> dict[str, Any]:
    project = find_project(call, call["project"])
    if call.on("rollbackInfo"):
        from tests.vercel.fake.promotion import look

        look(call, project)
    return project_answer(call, project, request=call.on("rollbackInfo"))


@route("PATCH", "projects/{project}", 9, 2, UNVERSIONED)
def change(call: Call) -> dict[str, Any]:
    project, told = find_project(call, call["project"]), call.told()
    if "name" in told and told["name"] != project.name:
        _check_name(told["name"])
        if any(p.name == told["name"] for p in call.world.projects.values()):
            raise Refused(409, "conflict", "A project of that name exists")
        project.name = told["name"]
    project.settings.update(_settings(told))
    return project_answer(call, project)


@route("DELETE", "projects/{project}", 2, 9, UNVERSIONED)
def delete(call: Call) -> Answer:
    project = find_project(call, call["project"])
    del call.world.projects[project.id]
    for deployment in call.world.deployments.values():
        if deployment.project == project.id:
            deployment.deleted = True
    return Answer(status=204)


def _check_name(name: Any) -> None:
    legal = isinstance(name, str) and re.fullmatch(r"[a-z0-9._-]{1,100}", name)
    if not legal or "---" in str(name):
        raise Refused(
            400,
            "invalid_project_name" if isinstance(name, str) else "bad_request",
            "A project name has at most 100 lower-case letters, digits and '.', '_', '-', and "
            "no '---'.",
            keyword="pattern",
            dataPath=".name",
        )


def _settings(told: dict[str, Any]) -> dict[str, Any]:
    known = CHANGEABLE | {"environmentVariables", "skipGitConnectDuringLink"}
    for name in told:
        if name not in known:
            text = f"Invalid request: should NOT have additional property `{name}`."
            raise Refused(400, "bad_request", text, keyword="additionalProperties")
    skipped = {"name", "environmentVariables", "skipGitConnectDuringLink"}
    return {name: value for name, value in told.items() if name not in skipped}
