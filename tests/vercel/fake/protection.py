"""Deployment protection: who may see a deployment, and the secret that lets automation pass."""

from __future__ import annotations

import re
import secrets
import string
from typing import TYPE_CHECKING, Any

from tests.vercel.fake.call import Call, Refused
from tests.vercel.fake.projects import find_project
from tests.vercel.fake.routes import route

if TYPE_CHECKING:
    from tests.vercel.fake.projects import Project

HEADER = "x-vercel-protection-bypass"


def may_see(project: Project, host: str, given: str) -> bool:
    """Whether a request to a host is let through.

    :param given: the secret it carries.
    """
    kind = (project.settings.get("ssoProtection") or {}).get("deploymentType")
    free = kind is None or (kind != "all" and host == project.host)
    return free or given in project.bypass


@route("PATCH", "projects/{project}/protection-bypass", 1)
def change(call: Call) -> dict[str, Any]:
    """Make a secret for automation, for an empty body too, or take one back."""
    project, told = find_project(call, call["project"]), call.told()
    if "revoke" in told:
        project.bypass.pop(told["revoke"]["secret"], None)
    if "generate" in told or not told or told.get("revoke", {}).get("regenerate"):
        wanted = (told.get("generate") or {}).get("secret") or _secret()
        if not re.fullmatch(r"[a-zA-Z0-9]{32}", wanted):
            raise Refused(400, "bad_request", "`generate.secret` should be 32 letters and digits")
        assert call.token is not None
        made = {"createdAt": call.world.now(), "createdBy": call.token.user}
        project.bypass[wanted] = {**made, "scope": "automation-bypass"}
    return {"protectionBypass": project.bypass}


def _secret() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))
