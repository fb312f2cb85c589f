"""Names beside a deployment's own host."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from tests.vercel.fake.accounts import new_id
from tests.vercel.fake.call import Call, Refused
from tests.vercel.fake.deployments import find_deployment
from tests.vercel.fake.routes import UNVERSIONED, route


@dataclasses.dataclass(kw_only=True)
class Alias:
    """A name that was assigned by hand; it is kept, and not listened on."""

    id: str
    name: str
    deployment: str
    project: str
    owner: str
    created: int

    def answer(self) -> dict[str, Any]:
        when = dt.datetime.fromtimestamp(self.created / 1000, dt.UTC)
        return {"uid": self.id, "alias": self.name, "created": when.isoformat()}


@route("POST", "deployments/{id}/aliases", 2, UNVERSIONED)
def assign(call: Call) -> dict[str, Any]:
    deployment, name = find_deployment(call, call["id"]), call.told().get("alias")
    if not isinstance(name, str) or not name:
        raise Refused(400, "bad_request", "`alias` should be a name")
    if not deployment.ready:
        raise Refused(400, "deployment_not_ready", "The deployment is not READY")
    known = call.world.aliases.get(name)
    if known and known.owner != call.scope:
        raise Refused(403, "forbidden", f"The alias {name} belongs to somebody else")
    if known and known.deployment == deployment.id:
        raise Refused(409, "not_modified", f"The alias {name} is assigned to it already")
    made = call.world.aliases[name] = Alias(
        id=known.id if known else new_id("alias"),
        name=name,
        deployment=deployment.id,
        project=deployment.project,
        owner=call.scope,
        created=call.world.now(),
    )
    return made.answer()


@route("GET", "deployments/{id}/aliases", 2, UNVERSIONED)
def list_of_deployment(call: Call) -> dict[str, Any]:
    deployment = find_deployment(call, call["id"])
    named = [a for a in call.world.aliases.values() if a.deployment == deployment.id]
    own = [
        Alias(
            id=f"{deployment.id}:{host}",
            name=host,
            deployment=deployment.id,
            project=deployment.project,
            owner=call.scope,
            created=deployment.created,
        )
        for host in deployment.alias
    ]
    return {"aliases": [alias.answer() for alias in (*own, *named)]}


@route("GET", "aliases", 3, 4)
def list_aliases(call: Call) -> dict[str, Any]:
    shown = []
    for alias in call.world.aliases.values():
        if alias.owner == call.scope and call.asked("projectId", alias.project) == alias.project:
            about = {"deploymentId": alias.deployment, "projectId": alias.project}
            shown.append({**alias.answer(), **about})
    pages = {"count": len(shown), "next": None, "prev": None}
    return {"aliases": shown, "pagination": pages}


@route("DELETE", "aliases/{alias}", 2, UNVERSIONED)
def delete(call: Call) -> dict[str, Any]:
    for alias in call.world.aliases.values():
        if call["alias"] in {alias.id, alias.name} and alias.owner == call.scope:
            del call.world.aliases[alias.name]
            return {"status": "SUCCESS"}
    raise Refused(404, "not_found", "The alias was not found")
