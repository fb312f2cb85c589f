"""Client for Vercel's HTTP API. It sends the team with each request and adds hints to errors."""

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

TOKEN = "VERCEL_TOKEN"  # noqa: S105  # the name of a variable
_HINTS = {
    "forbidden": "Create a token for the team at vercel.com/account/tokens and set VERCEL_TOKEN.",
    "saml": "Log in to the team through its identity provider, then create a token for it.",
    "not_found": "Check project_name and team_id; the token may be for another team.",
    "rate_limited": "Wait, then run the same command again; uploaded files are not sent again.",
    "builds_rate_limited": "The daily deployment limit is reached; wait, or upgrade the plan.",
    "payment_required": "The account or its plan does not include this; see its billing page.",
    "conflict": "The name is taken in this scope; choose another project_name.",
    "too_many_files": "Reduce the number of files: [tool.mastra.build] exclude.",
    "missing_project_settings": "Run the same command again.",
    "internal_server_error": "Vercel failed; see vercel-status.com, then run the command again.",
}
_SERVER_ERROR = 500
_HINTS_BY_STATUS = {
    402: _HINTS["payment_required"],
    404: _HINTS["not_found"],
    409: _HINTS["conflict"],
    410: "This version of mastra-deployer-vercel is too old for Vercel; update it.",
    413: "The request was too large; reduce the size of the app.",
    426: "This version of mastra-deployer-vercel is too old for Vercel; update it.",
    428: "The request needs an add-on that the team does not have.",
    429: _HINTS["rate_limited"],
}


@contextlib.contextmanager
def open_api(settings: VercelDeployer, credentials: Mapping[str, Secret]) -> Iterator[httpx.Client]:
    """Open a client for the team of the settings; inside the block, API errors get a hint.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: the client, closed at the end of the block.
    :raises AuthError: when the token is missing or rejected.
    """
    from mastra_deployer.kit import connect, convert_response_errors

    if TOKEN not in credentials:
        raise AuthError(
            f"{TOKEN} is not set.", f"Create a token at vercel.com/account/tokens and set {TOKEN}."
        )
    with (
        _add_hints(),
        convert_response_errors("Vercel"),
        connect(settings.api_url, credentials[TOKEN], name="Vercel") as client,
    ):
        if team := settings.team_id:
            client.params = {"teamId" if team.startswith("team_") else "slug": team}
        yield client


def build_project_path(settings: VercelDeployer, version: int = 9, suffix: str = "") -> str:
    """Build the path of an endpoint of the project: ``/v9/projects/NAME`` and a suffix.

    :param settings: settings of the deployer.
    :param version: version of the endpoint.
    :param suffix: rest of the path, with a leading slash.
    :returns: the path.
    """
    return f"/v{version}/projects/{quote(settings.project_name, safe='')}{suffix}"


def to_url(host: str) -> str:
    """Return the URL of a deployment's host: https, or http for a loopback address.

    :param host: the host, with its port where one is given.
    :returns: the URL.
    """
    local = host.partition(":")[0] in ("127.0.0.1", "localhost")
    return f"http://{host}" if local else f"https://{host}"


def read_object(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in a response.

    :param response: the response.
    :returns: the object.
    :raises ApiError: when the body is not a JSON object, such as the page of a gateway.
    """
    content = response.json()
    if not isinstance(content, dict):
        raise ApiError(
            f"The response to {response.request.url.path} is not a JSON object.",
            "Check api_url, and any proxy between this machine and Vercel.",
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
