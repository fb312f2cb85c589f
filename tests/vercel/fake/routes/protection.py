"""Deployment protection, and the bypass secrets for automation."""

from __future__ import annotations

import re
import secrets
import string
from typing import TYPE_CHECKING, Any

from tests.vercel.fake.routes.projects import find_project
from tests.vercel.fake.transport.request import ApiError, Request
from tests.vercel.fake.transport.routing import route

if TYPE_CHECKING:
    from tests.vercel.fake.routes.projects import Project

BYPASS_HEADER = "x-vercel-protection-bypass"


def is_visible(project: Project, host: str, secret: str) -> bool:
    """Return whether a request to a host passes the protection.

    :param secret: the bypass secret of the request; may be empty.
    """
    protection = (project.settings.get("ssoProtection") or {}).get("deploymentType")
    is_open = protection is None or (protection != "all" and host == project.host)
    return is_open or secret in project.bypass


@route("PATCH", "projects/{project}/protection-bypass", 1)
def update_bypass(request: Request) -> dict[str, Any]:
    """Create a secret, also for an empty body, or revoke one."""
    project, body = find_project(request, request["project"]), request.parse_object()
    if "revoke" in body:
        project.bypass.pop(body["revoke"]["secret"], None)
    if "generate" in body or not body or body.get("revoke", {}).get("regenerate"):
        secret = (body.get("generate") or {}).get("secret") or _generate_secret()
        if not re.fullmatch(r"[a-zA-Z0-9]{32}", secret):
            raise ApiError(400, "bad_request", "`generate.secret` should be 32 letters and digits")
        assert request.token is not None
        metadata = {"createdAt": request.platform.now(), "createdBy": request.token.user}
        project.bypass[secret] = {**metadata, "scope": "automation-bypass"}
    return {"protectionBypass": project.bypass}


def _generate_secret() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))
