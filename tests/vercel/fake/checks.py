"""Checks that others make of a deployment before its aliases are assigned."""

from __future__ import annotations

from typing import Any

from tests.vercel.fake.accounts import new_id
from tests.vercel.fake.call import Call
from tests.vercel.fake.deployments import find_deployment
from tests.vercel.fake.routes import route


@route("GET", "deployments/{id}/checks", 1)
def list_checks(call: Call) -> dict[str, Any]:
    return {"checks": find_deployment(call, call["id"]).checks}


@route("POST", "deployments/{id}/checks", 1)
def create(call: Call) -> dict[str, Any]:
    deployment, told = find_deployment(call, call["id"]), call.told()
    now = call.world.now()
    made = {
        "id": new_id("check"),
        "name": told.get("name", ""),
        "blocking": bool(told.get("blocking")),
        "rerequestable": bool(told.get("rerequestable")),
        "status": "registered",
        "deploymentId": deployment.id,
        "integrationId": "oac_fake",
        "createdAt": now,
        "updatedAt": now,
    }
    deployment.checks.append(made)
    return made
