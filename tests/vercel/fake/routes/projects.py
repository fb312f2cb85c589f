"""Projects: create, get, list, update and delete."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from tests.vercel.fake.routes.accounts import new_id
from tests.vercel.fake.routes.project_response import render_project
from tests.vercel.fake.transport.request import ApiError, Request, Response
from tests.vercel.fake.transport.routing import UNVERSIONED, route

if TYPE_CHECKING:
    from tests.vercel.fake.routes.custom_environments import CustomEnvironment
    from tests.vercel.fake.routes.env_vars import Variable
    from tests.vercel.fake.routes.rolling_releases import RollingRelease

DEFAULT_PROTECTION = {"deploymentType": "all_except_custom_domains"}
SETTINGS = frozenset(
    "autoAssignCustomDomains autoExposeSystemEnvs framework name nodeVersion resourceConfig "
    "rootDirectory serverlessFunctionRegion skewProtectionMaxAge ssoProtection publicSource "
    "buildCommand devCommand installCommand outputDirectory commandForIgnoringBuildStep "
    "passwordProtection sourceFilesOutsideRootDirectory directoryListing".split()
)


@dataclasses.dataclass(kw_only=True)
class Project:
    """A project; `history` lists its live deployments, the current one last."""

    id: str
    owner: str
    name: str
    created: int
    host: str  # the production host, which is not protected
    settings: dict[str, Any]
    env: dict[str, Variable] = dataclasses.field(default_factory=dict)
    environments: dict[str, CustomEnvironment] = dataclasses.field(default_factory=dict)
    bypass: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    history: list[str] = dataclasses.field(default_factory=list)
    alias_request: dict[str, Any] | None = None  # the last promotion or rollback
    is_rolled_back: bool = False  # new deployments are then staged, until a promotion
    rolling_config: dict[str, Any] | None = None
    rolling: RollingRelease | None = None

    @property
    def production(self) -> str:
        """The id of the live deployment; empty before the first."""
        return self.history[-1] if self.history else ""


def find_project(request: Request, id_or_name: str, name: str = "project") -> Project:
    """:raises ApiError: 404, when the owner has no project of that id or name."""
    for project in request.platform.projects.values():
        if project.owner == request.scope and id_or_name in {project.id, project.name}:
            return project
    raise ApiError(404, "not_found", f"{name.title()} not found")


def add_project(request: Request, body: dict[str, Any]) -> Project:
    """Create a project.

    :raises ApiError: for a name that is invalid or taken.
    """
    name = body.get("name")
    _check_name(name)
    if any(p.owner == request.scope and p.name == name for p in request.platform.projects.values()):
        raise ApiError(409, "conflict", f'Project "{name}" already exists, please use a new name.')
    settings = {"framework": None, "ssoProtection": dict(DEFAULT_PROTECTION)}
    project = Project(
        id=new_id("prj"),
        owner=request.scope,
        name=str(name),
        created=request.platform.now(),
        host=request.platform.open_host(f"production:{request.scope}:{name}"),
        settings={**settings, **_select_settings(body)},
    )
    request.platform.projects[project.id] = project
    return project


@route("POST", "projects", 1, 9, 10, 11)
def create_project(request: Request) -> dict[str, Any]:
    body = request.parse_object()
    project = add_project(request, body)
    from tests.vercel.fake.routes.env_vars import set_variables

    set_variables(request, project, body.get("environmentVariables") or [], upsert=False)
    return render_project(request, project)


@route("GET", "projects", 9, 10, UNVERSIONED)
def list_projects(request: Request) -> dict[str, Any]:
    owned = [p for p in request.platform.projects.values() if p.owner == request.scope]
    matching = [p for p in reversed(owned) if request.get_query("search") in p.name]
    page = matching[: request.get_int("limit", 20)]
    pages = {"count": len(page), "next": None, "prev": None}
    return {"projects": [render_project(request, p) for p in page], "pagination": pages}


@route("GET", "projects/{project}", 2, 9, UNVERSIONED)
def get_project(request: Request) -> dict[str, Any]:
    project = find_project(request, request["project"])
    if request.has_flag("rollbackInfo"):
        from tests.vercel.fake.routes.promotion import advance_alias_request

        advance_alias_request(request, project)
    return render_project(request, project, with_alias_request=request.has_flag("rollbackInfo"))


@route("PATCH", "projects/{project}", 9, 2, UNVERSIONED)
def update_project(request: Request) -> dict[str, Any]:
    project, body = find_project(request, request["project"]), request.parse_object()
    if "name" in body and body["name"] != project.name:
        _check_name(body["name"])
        if any(p.name == body["name"] for p in request.platform.projects.values()):
            raise ApiError(409, "conflict", "A project of that name exists")
        project.name = body["name"]
    project.settings.update(_select_settings(body))
    return render_project(request, project)


@route("DELETE", "projects/{project}", 2, 9, UNVERSIONED)
def delete_project(request: Request) -> Response:
    project = find_project(request, request["project"])
    del request.platform.projects[project.id]
    for deployment in request.platform.deployments.values():
        if deployment.project == project.id:
            deployment.is_deleted = True
    return Response(status=204)


def _check_name(name: Any) -> None:
    is_valid = isinstance(name, str) and re.fullmatch(r"[a-z0-9._-]{1,100}", name)
    if not is_valid or "---" in str(name):
        raise ApiError(
            400,
            "invalid_project_name" if isinstance(name, str) else "bad_request",
            "A project name has at most 100 lower-case letters, digits and '.', '_', '-', and "
            "no '---'.",
            keyword="pattern",
            dataPath=".name",
        )


def _select_settings(body: dict[str, Any]) -> dict[str, Any]:
    allowed = SETTINGS | {"environmentVariables", "skipGitConnectDuringLink"}
    for name in body:
        if name not in allowed:
            text = f"Invalid request: should NOT have additional property `{name}`."
            raise ApiError(400, "bad_request", text, keyword="additionalProperties")
    excluded = {"name", "environmentVariables", "skipGitConnectDuringLink"}
    return {name: value for name, value in body.items() if name not in excluded}
