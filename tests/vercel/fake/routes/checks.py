"""Checks of a deployment by integrations, before its aliases are assigned."""

from __future__ import annotations

from typing import Any

from tests.vercel.fake.routes.accounts import new_id
from tests.vercel.fake.routes.deployments import find_deployment
from tests.vercel.fake.transport.request import Request
from tests.vercel.fake.transport.routing import route


@route("GET", "deployments/{id}/checks", 1)
def list_checks(request: Request) -> dict[str, Any]:
    return {"checks": find_deployment(request, request["id"]).checks}


@route("POST", "deployments/{id}/checks", 1)
def create_check(request: Request) -> dict[str, Any]:
    deployment, body = find_deployment(request, request["id"]), request.parse_object()
    now = request.platform.now()
    check = {
        "id": new_id("check"),
        "name": body.get("name", ""),
        "blocking": bool(body.get("blocking")),
        "rerequestable": bool(body.get("rerequestable")),
        "status": "registered",
        "deploymentId": deployment.id,
        "integrationId": "oac_fake",
        "createdAt": now,
        "updatedAt": now,
    }
    deployment.checks.append(check)
    return check
