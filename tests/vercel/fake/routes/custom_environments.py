"""Custom environments; how many are allowed depends on the plan."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from tests.vercel.fake.routes.accounts import get_plan, new_id
from tests.vercel.fake.routes.projects import Project, find_project
from tests.vercel.fake.transport.request import ApiError, Request, Response
from tests.vercel.fake.transport.routing import UNVERSIONED, route

MAX_ENVIRONMENTS = {"hobby": 0, "pro": 1, "enterprise": 12}


@dataclasses.dataclass(kw_only=True)
class CustomEnvironment:
    id: str
    slug: str
    created: int
    description: str = ""

    def to_json(self) -> dict[str, Any]:
        when = {"createdAt": self.created, "updatedAt": self.created}
        about = {"id": self.id, "slug": self.slug, "type": "preview"}
        return {**about, **when, "description": self.description}


def find_environment(project: Project, id_or_slug: str) -> CustomEnvironment:
    """:raises Refused: 404, when there is none."""
    for environment in project.environments.values():
        if id_or_slug in {environment.id, environment.slug}:
            return environment
    raise ApiError(404, "not_found", f"Custom environment {id_or_slug} not found")


@route("GET", "projects/{project}/custom-environments", 1, 9, UNVERSIONED)
def list_environments(request: Request) -> dict[str, Any]:
    project = find_project(request, request["project"])
    items = [environment.to_json() for environment in project.environments.values()]
    return {"environments": items, "accountLimit": {"total": MAX_ENVIRONMENTS[get_plan(request)]}}


@route("POST", "projects/{project}/custom-environments", 1, 9, UNVERSIONED)
def create_environment(request: Request) -> Response:
    project, body = find_project(request, request["project"]), request.parse_object()
    slug = body.get("slug", "")
    if len(project.environments) >= MAX_ENVIRONMENTS[get_plan(request)]:
        text = "The plan of the team allows no further custom environment."
        raise ApiError(402, "custom_environment_limit_exceeded", text)
    if not re.fullmatch(r"[a-z0-9-]{1,32}", slug) or slug in {"production", "preview"}:
        raise ApiError(400, "bad_request", f"The slug {slug} is not allowed")
    environment = CustomEnvironment(
        id=new_id("env"),
        slug=slug,
        created=request.platform.now(),
        description=body.get("description", ""),
    )
    project.environments[environment.id] = environment
    return Response(status=201, body=environment.to_json())


@route("GET", "projects/{project}/custom-environments/{environment}", 1, 9, UNVERSIONED)
def get_environment(request: Request) -> dict[str, Any]:
    return find_environment(
        find_project(request, request["project"]), request["environment"]
    ).to_json()


@route("DELETE", "projects/{project}/custom-environments/{environment}", 1, 9, UNVERSIONED)
def delete_environment(request: Request) -> dict[str, Any]:
    project = find_project(request, request["project"])
    return project.environments.pop(find_environment(project, request["environment"]).id).to_json()
