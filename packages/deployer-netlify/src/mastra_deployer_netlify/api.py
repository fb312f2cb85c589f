"""A client for Netlify's HTTP API, and the addresses of Netlify's other services."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mastra_core.secret import Secret
from mastra_deployer_netlify.settings import NetlifyDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("HINTS", "get_log_address", "get_socket_address", "open_api", "open_logs")

TOKEN = "NETLIFY_AUTH_TOKEN"  # noqa: S105  # the name of a variable
_API_HOST = "api.netlify.com"
_LOGS = "https://analytics.services.netlify.com"
_SOCKET = "wss://socketeer.services.netlify.com"
_RETRY_COUNT = "X-Nf-Retry-Count"
_TOKEN_HINT = "Create a token at app.netlify.com/user/applications, and set NETLIFY_AUTH_TOKEN."  # noqa: S105  # no token
_TEAM_HINT = "Check scope. The token may be from an account outside of this team."
_PLAN_HINT = "The team or its plan does not include this feature. See the team's billing page."
_SERVER_HINT = "Netlify has a failure. See netlifystatus.com, and run the command again later."
_LIMIT_HINT = (
    "Netlify allows 3 deploys in a minute and 100 in a day. Wait, and run the same command again. "
    "Files that Netlify already has are not sent again."
)
_VERSION_HINT = "This version of mastra-deployer-netlify is too old for Netlify. Update it."
HINTS: Mapping[str | int, str] = {
    401: _TOKEN_HINT,
    402: _PLAN_HINT,
    403: _TEAM_HINT,
    404: "Check project_name and scope. The token may be for another team.",
    410: _VERSION_HINT,
    413: "The request was too large. Reduce the size of the app.",
    422: "Correct the setting that the message names.",
    426: _VERSION_HINT,
    429: _LIMIT_HINT,
    **dict.fromkeys(range(500, 600), _SERVER_HINT),
}


def open_api(
    settings: NetlifyDeployer, credentials: Mapping[str, Secret]
) -> AbstractContextManager[httpx.Client]:
    """Open a client for the API; API errors get a hint.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: the client, closed at the end of the block.
    :raises AuthError: when the token is missing or rejected.
    """
    return _open(settings.api_url, credentials)


def open_logs(
    settings: NetlifyDeployer, credentials: Mapping[str, Secret]
) -> AbstractContextManager[httpx.Client]:
    """Open a client for the service with past log lines.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: the client, closed at the end of the block.
    :raises AuthError: when the token is missing or rejected.
    """
    return _open(get_log_address(settings), credentials)


def get_log_address(settings: NetlifyDeployer) -> str:
    """Return the address of the service with past log lines.

    If ``api_url`` is not Netlify's own API, the host of ``api_url`` also has this service.

    :param settings: settings of the deployer.
    :returns: the address without a path.
    """
    address = urlsplit(settings.api_url)
    return _LOGS if address.hostname == _API_HOST else f"{address.scheme}://{address.netloc}"


def get_socket_address(settings: NetlifyDeployer) -> str:
    """Return the address of the service with the WebSocket for new log lines.

    If ``api_url`` is not Netlify's own API, the host of ``api_url`` also has this service.

    :param settings: settings of the deployer.
    :returns: the address without a path.
    """
    address = urlsplit(settings.api_url)
    scheme = "ws" if address.scheme == "http" else "wss"
    return _SOCKET if address.hostname == _API_HOST else f"{scheme}://{address.netloc}"


def _open(address: str, credentials: Mapping[str, Secret]) -> AbstractContextManager[httpx.Client]:
    from mastra_deployer.kit import open_client

    return open_client(
        address,
        credentials,
        TOKEN,
        name="Netlify",
        hint=_TOKEN_HINT,
        hints=HINTS,
        before_attempt=_count_attempts,
    )


def _count_attempts(request: httpx.Request, count: int) -> None:
    """Add a header with the number of earlier attempts, as Netlify's own clients do."""
    if count:
        request.headers[_RETRY_COUNT] = str(count)
