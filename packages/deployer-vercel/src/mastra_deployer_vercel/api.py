"""A client for Vercel's HTTP API, which sends the team and adds hints to errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mastra_core.errors import AuthError
from mastra_core.secret import Secret
from mastra_deployer.kit import quote_segment
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("HINTS", "build_project_path", "open_api", "to_url")

TOKEN = "VERCEL_TOKEN"  # noqa: S105  # the name of a variable
_TOKEN_HINT = "Create a token at vercel.com/account/tokens and set VERCEL_TOKEN."  # noqa: S105  # no token
_SCOPE_HINT = "Create a token for the team at vercel.com/account/tokens and set VERCEL_TOKEN."
_SAML_HINT = "Log in to the team through its identity provider, then create a token for it."
_SERVER_HINT = "Vercel has a failure. See vercel-status.com, and run the command again later."
_LIMIT_HINT = "Wait, and run the same command again. Uploaded files are not sent again."
_PLAN_HINT = (
    "The account or its plan does not include this feature. See the account's billing page."
)
_CONFLICT_HINT = (
    "Another change of the project may be running. Wait, and run the same command again. For a new "
    "project, choose another project_name."
)
_PROJECT_HINT = "Check project_name and team_id. The token may be for another team."
_VERSION_HINT = "This version of mastra-deployer-vercel is too old for Vercel. Update it."
HINTS: Mapping[str | int, str] = {
    "forbidden": _SCOPE_HINT,
    "not_found": _PROJECT_HINT,
    "rate_limited": _LIMIT_HINT,
    "builds_rate_limited": "The daily limit of deployments is reached. Wait, or upgrade the plan.",
    "payment_required": _PLAN_HINT,
    "conflict": _CONFLICT_HINT,
    "too_many_files": "Reduce the number of files with [tool.mastra.build] exclude.",
    "missing_project_settings": "Run the same command again.",
    "internal_server_error": _SERVER_HINT,
    401: _SCOPE_HINT,
    402: _PLAN_HINT,
    403: _SCOPE_HINT,
    404: _PROJECT_HINT,
    409: _CONFLICT_HINT,
    410: _VERSION_HINT,
    413: "The request was too large. Reduce the size of the app.",
    426: _VERSION_HINT,
    428: "The request needs an add-on that the team does not have.",
    429: _LIMIT_HINT,
    **dict.fromkeys(range(500, 600), _SERVER_HINT),
}


@contextlib.contextmanager
def open_api(settings: VercelDeployer, credentials: Mapping[str, Secret]) -> Iterator[httpx.Client]:
    """Open a client for the team in the settings; API errors get a hint.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: the client, closed at the end of the block.
    :raises AuthError: when the token is missing or rejected.
    """
    from mastra_deployer.kit import open_client

    with (
        _add_saml_hint(),
        open_client(
            settings.api_url, credentials, TOKEN, name="Vercel", hint=_TOKEN_HINT, hints=HINTS
        ) as client,
    ):
        if team := settings.team_id:
            client.params = {"teamId" if team.startswith("team_") else "slug": team}
        yield client


def build_project_path(settings: VercelDeployer, version: int = 9, suffix: str = "") -> str:
    """Build the path of a project's endpoint: ``/v9/projects/NAME`` and a suffix.

    :param settings: settings of the deployer.
    :param version: version of the endpoint.
    :param suffix: rest of the path, with a leading slash.
    :returns: the path.
    """
    return f"/v{version}/projects/{quote_segment(settings.project_name)}{suffix}"


def to_url(host: str) -> str:
    """Return the URL of a deployment's host: https, or http for a loopback address.

    :param host: the host, with its port if one is given.
    :returns: the URL.
    """
    local = host.partition(":")[0] in ("127.0.0.1", "localhost")
    return f"http://{host}" if local else f"https://{host}"


@contextlib.contextmanager
def _add_saml_hint() -> Iterator[None]:
    """Add a hint to errors about SAML. Only their message tells that they are about SAML."""
    try:
        yield
    except AuthError as error:
        if "re-authenticate" in error.message or "saml" in error.message.lower():
            error.hint = _SAML_HINT
        raise
