"""Environments beside production, preview and development; a matter of the plan."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from tests.vercel.fake.accounts import new_id, plan_of
from tests.vercel.fake.call import Answer, Call, Refused
from tests.vercel.fake.projects import Project, find_project
from tests.vercel.fake.routes import UNVERSIONED, route

ALLOWED = {"hobby": 0, "pro": 1, "enterprise": 12}


@dataclasses.dataclass(kw_only=True)
class CustomEnvironment:
    id: str
    slug: str
    created: int
    description: str = ""

    def answer(self) -> dict[str, Any]:
        when = {"createdAt": self.created, "updatedAt": self.created}
        about = {"id": self.id, "slug": self.slug, "type": "preview"}
        return {**about, **when, "description": self.description}


def find_environment(project: Project, id_or_slug: str) -> CustomEnvironment:
    """:raises Refused: 404, when there is none."""
    for environment in project.environments.values():
        if id_or_slug in {environment.id, environment.slug}:
            return environment
    raise Refused(404, "not_found", f"Custom environment {id_or_slug} not found")


@route("GET", "projects/{project}/custom-environments", 1, 9, UNVERSIONED)
def list_environments(call: Call) -> dict[str, Any]:
    project = find_project(call, call["project"])
    shown = [environment.answer() for environment in project.environments.values()]
    return {"environments": shown, "accountLimit": {"total": ALLOWED[plan_of(call)]}}


@route("POST", "projects/{project}/custom-environments", 1, 9, UNVERSIONED)
def create(call: Call) -> Answer:
    project, told = find_project(call, call["project"]), call.told()
    slug = told.get("slug", "")
    if len(project.environments) >= ALLOWED[plan_of(call)]:
        text = "The plan of the team allows no further custom environment."
        raise Refused(402, "custom_environment_limit_exceeded", text)
    if not re.fullmatch(r"[a-z0-9-]{1,32}", slug) or slug in {"production", "preview"}:
        raise Refused(400, "bad_request", f"The slug {slug} is not allowed")
    made = CustomEnvironment(
        id=new_id("env"),
        slug=slug,
        created=call.world.now(),
        description=told.get("description", ""),
    )
    project.environments[made.id] = made
    return Answer(status=201, body=made.answer())


@route("GET", "projects/{project}/custom-environments/{environment}", 1, 9, UNVERSIONED)
def get(call: Call) -> dict[str, Any]:
    return find_environment(find_project(call, call["project"]), call["environment"]).answer()


@route("DELETE", "projects/{project}/custom-environments/{environment}", 1, 9, UNVERSIONED)
def delete(call: Call) -> dict[str, Any]:
    project = find_project(call, call["project"])
    return project.environments.pop(find_environment(project, call["environment"]).id).answer()
