"""Aliases of deployments."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from tests.vercel.fake.routes.accounts import new_id
from tests.vercel.fake.routes.deployments import find_deployment
from tests.vercel.fake.transport.request import ApiError, Request
from tests.vercel.fake.transport.routing import UNVERSIONED, route


@dataclasses.dataclass(kw_only=True)
class Alias:
    """An alias assigned by hand; nothing listens on it."""

    id: str
    name: str
    deployment: str
    project: str
    owner: str
    created: int

    def to_json(self) -> dict[str, Any]:
        when = dt.datetime.fromtimestamp(self.created / 1000, dt.UTC)
        return {"uid": self.id, "alias": self.name, "created": when.isoformat()}


@route("POST", "deployments/{id}/aliases", 2, UNVERSIONED)
def assign_alias(request: Request) -> dict[str, Any]:
    deployment, name = find_deployment(request, request["id"]), request.parse_object().get("alias")
    if not isinstance(name, str) or not name:
        raise ApiError(400, "bad_request", "`alias` should be a name")
    if not deployment.is_ready:
        raise ApiError(400, "deployment_not_ready", "The deployment is not READY")
    existing = request.platform.aliases.get(name)
    if existing and existing.owner != request.scope:
        raise ApiError(403, "forbidden", f"The alias {name} belongs to somebody else")
    if existing and existing.deployment == deployment.id:
        raise ApiError(409, "not_modified", f"The alias {name} is assigned to it already")
    alias = request.platform.aliases[name] = Alias(
        id=existing.id if existing else new_id("alias"),
        name=name,
        deployment=deployment.id,
        project=deployment.project,
        owner=request.scope,
        created=request.platform.now(),
    )
    return alias.to_json()


@route("GET", "deployments/{id}/aliases", 2, UNVERSIONED)
def list_deployment_aliases(request: Request) -> dict[str, Any]:
    deployment = find_deployment(request, request["id"])
    assigned = [a for a in request.platform.aliases.values() if a.deployment == deployment.id]
    host_aliases = [
        Alias(
            id=f"{deployment.id}:{host}",
            name=host,
            deployment=deployment.id,
            project=deployment.project,
            owner=request.scope,
            created=deployment.created,
        )
        for host in deployment.alias
    ]
    return {"aliases": [alias.to_json() for alias in (*host_aliases, *assigned)]}


@route("GET", "aliases", 3, 4)
def list_aliases(request: Request) -> dict[str, Any]:
    items = []
    for alias in request.platform.aliases.values():
        if (
            alias.owner == request.scope
            and request.get_query("projectId", alias.project) == alias.project
        ):
            ids = {"deploymentId": alias.deployment, "projectId": alias.project}
            items.append({**alias.to_json(), **ids})
    pages = {"count": len(items), "next": None, "prev": None}
    return {"aliases": items, "pagination": pages}


@route("DELETE", "aliases/{alias}", 2, UNVERSIONED)
def delete_alias(request: Request) -> dict[str, Any]:
    for alias in request.platform.aliases.values():
        if request["alias"] in {alias.id, alias.name} and alias.owner == request.scope:
            del request.platform.aliases[alias.name]
            return {"status": "SUCCESS"}
    raise ApiError(404, "not_found", "The alias was not found")
