"""Vercel's HTTP API: the client, its scope, and what its refusals mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mastra_core.errors import ApiError, AuthError, DeployError
from mastra_core.secret import Secret
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("build_project_path", "open_api", "read_object", "to_url")

TOKEN = "VERCEL_TOKEN"  # noqa: S105  # a variable's name
_HINTS = {
    "forbidden": "Make a token at vercel.com/account/tokens for this team, and set VERCEL_TOKEN.",
    "saml": "Log in to the team through its identity provider, then make a token for it.",
    "not_found": "Check project_name and team_id; the token may be for another team.",
    "rate_limited": "Wait, then run the same command again; nothing is sent twice.",
    "builds_rate_limited": "The day's deployments are used up; wait, or use a larger plan.",
    "payment_required": "The account or the plan does not cover this; see its billing page.",
    "conflict": "The name is taken in this scope; choose another project_name.",
    "too_many_files": "Ship fewer files: [tool.mastra.build] exclude.",
    "missing_project_settings": "Run the same command again.",
    "internal_server_error": "Vercel failed; see vercel-status.com, and run it again.",
}
_SERVER_ERROR = 500
_HINTS_BY_STATUS = {
    402: _HINTS["payment_required"],
    404: _HINTS["not_found"],
    409: _HINTS["conflict"],
    410: "This version of mastra-deployer-vercel is too old for Vercel; update it.",
    413: "The request was too large; ship less.",
    426: "This version of mastra-deployer-vercel is too old for Vercel; update it.",
    428: "The team lacks an add-on that this needs.",
    429: _HINTS["rate_limited"],
}


@contextlib.contextmanager
def open_api(settings: VercelDeployer, credentials: Mapping[str, Secret]) -> Iterator[httpx.Client]:
    """A client for the team of the settings; inside, errors carry Vercel's cure.

    :raises AuthError: when there is no token, or it is refused.
    """
    from mastra_deployer.kit import connect

    if TOKEN not in credentials:
        raise AuthError(
            f"{TOKEN} is not set.", "Make a token at vercel.com/account/tokens and set it."
        )
    with _add_hints(), connect(settings.api_url, credentials[TOKEN], name="Vercel") as client:
        if team := settings.team_id:
            client.params = {"teamId" if team.startswith("team_") else "slug": team}
        yield client


def build_project_path(settings: VercelDeployer, version: int = 9, suffix: str = "") -> str:
    """``/v9/projects/NAME`` and what follows."""
    return f"/v{version}/projects/{quote(settings.project_name, safe='')}{suffix}"


def to_url(host: str) -> str:
    """A deployment's host as an address; plain http only for this machine, as tests have it."""
    local = host.partition(":")[0] in ("127.0.0.1", "localhost")
    return f"http://{host}" if local else f"https://{host}"


def read_object(response: httpx.Response) -> dict[str, Any]:
    """The object in an answer.

    :raises ApiError: when it is none: a gateway may answer 200 with a page.
    """
    try:
        content = response.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ApiError(
            f"Vercel answered {response.request.url.path} with something that is no JSON object.",
            "Check api_url and what lies between here and there.",
        )
    return content


@contextlib.contextmanager
def _add_hints() -> Iterator[None]:
    try:
        yield
    except (ApiError, AuthError) as error:
        error.hint = _find_hint(error) or error.hint
        raise


def _find_hint(error: DeployError) -> str:
    code = getattr(error, "code", "")
    if "re-authenticate" in error.message or "saml" in error.message.lower():
        return _HINTS["saml"]
    if isinstance(error, AuthError) and error.hint.startswith("Check that the token"):
        return _HINTS.get(code, _HINTS["forbidden"])
    status = getattr(error, "status", None) or 0
    if status >= _SERVER_ERROR:
        return _HINTS["internal_server_error"]
    return _HINTS.get(code, "") or _HINTS_BY_STATUS.get(status, "")
