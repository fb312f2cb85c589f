"""Request a deployment until it responds correctly or a timeout is reached."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeAlias

import httpx
import stamina

from mastra_core.errors import ApiError, DeploymentFailed
from mastra_core.pipeline import Deployment, Report
from mastra_core.secret import Secret
from mastra_deployer.kit.http.origin_transport import OriginTransport
from mastra_deployer.kit.http.response_deadline import DeadlineExceeded, limit_time
from mastra_deployer.plugins.untyped_calls import call_plugin

__all__ = ("SmokeResult", "choose_smoke_path", "run_smoke_test")

SignSmoke: TypeAlias = Callable[[str], Mapping[str, Secret]]

_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_REQUEST_TIMEOUT = 30  # seconds
_HINT = "To request another path, pass --smoke PATH. To skip the smoke test, pass --no-smoke."


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmokeResult:
    """Response of a deployment to the smoke test.

    :param url: the requested URL.
    :param status: the HTTP status.
    :param milliseconds: duration of the request that succeeded.
    """

    url: str
    status: int
    milliseconds: int


def choose_smoke_path(kind: str, path: str | None) -> tuple[str, int]:
    """Return the path to request, and the first HTTP status that counts as a failure.

    A Mastra app has ``/health``. For an app of another framework, the path is ``/``, and only a 5xx
    counts as a failure.

    :param kind: ``mastra``, ``asgi`` or ``wsgi``.
    :param path: the user's own path; ``None`` for the default of ``kind``.
    """
    if path is not None:
        return path, _CLIENT_ERROR
    return ("/health", _CLIENT_ERROR) if kind == "mastra" else ("/", _SERVER_ERROR)


def run_smoke_test(
    deployment: Deployment, path: str, first_failing_status: int, report: Report, *, timeout: float
) -> SmokeResult | None:
    """Request a deployment repeatedly until it responds correctly.

    :param deployment: the deployment, with its URL and headers.
    :param path: the path to request.
    :param first_failing_status: the smallest HTTP status that is a failure.
    :param report: receives progress.
    :param timeout: seconds until a missing or failing response counts as a failure.
    :returns: ``None`` for a deployment without a URL, such as an image in a registry.
    :raises DeploymentFailed: when the deployment does not respond correctly in time.
    """
    if not deployment.url.startswith(("http://", "https://")):
        return None
    url = deployment.url.rstrip("/") + "/" + path.lstrip("/")
    report.step(f"Requesting {url}")
    headers = _reveal(deployment.smoke_headers)
    sign = deployment.sign_smoke
    try:
        transport = OriginTransport(url)
    except httpx.InvalidURL as error:
        raise DeploymentFailed(
            f"{url!r} is not a valid address: {str(error).rstrip('.')}.",
            _HINT,
            deployment=deployment,
        ) from None
    client = httpx.Client(
        headers=headers,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=_REQUEST_TIMEOUT,
        # The token of a platform's protection must not follow a redirect to its login page.
        follow_redirects=not headers and sign is None,
        transport=transport,
    )
    request_with_retry = stamina.retry(
        on=_UnhealthyResponse, attempts=None, timeout=timeout, wait_initial=0.25, wait_max=5
    )(_request_once)
    try:
        with client:
            return request_with_retry(client, url, first_failing_status, sign)
    except _UnhealthyResponse as error:
        raise DeploymentFailed(f"{url} {error}.", _HINT, deployment=deployment) from None


def _reveal(headers: Mapping[str, Secret]) -> dict[str, str]:
    return {name: value.reveal() for name, value in headers.items()}


class _UnhealthyResponse(Exception):
    """A missing or failing response; a later request may succeed."""


def _request_once(
    client: httpx.Client, url: str, first_failing_status: int, sign: SignSmoke | None
) -> SmokeResult:
    # A signature is valid for minutes only, so each try has its own.
    headers = _reveal(call_plugin("the deployer", "sign_smoke", lambda: sign(url))) if sign else {}
    started = time.monotonic()
    try:
        # The body may be endless, and the headers may arrive slowly.
        with limit_time(_REQUEST_TIMEOUT), client.stream("GET", url, headers=headers) as response:
            status, redirect = response.status_code, response.next_request
    except ApiError as error:
        raise _UnhealthyResponse(f"leads to a wrong address: {error.message.rstrip('.')}") from None
    except DeadlineExceeded:
        raise _UnhealthyResponse(f"does not respond in {_REQUEST_TIMEOUT} s") from None
    except httpx.HTTPError as error:
        raise _UnhealthyResponse(
            f"does not respond: {str(error) or type(error).__name__}"
        ) from None
    if redirect is not None and redirect.url.host != httpx.URL(url).host:
        # A redirect to another host leads to the login page of the platform's protection.
        raise _UnhealthyResponse(f"redirects to {redirect.url.host}")
    if status >= first_failing_status:
        raise _UnhealthyResponse(f"responds with status {status}")
    milliseconds = round((time.monotonic() - started) * 1000)
    return SmokeResult(url=url, status=status, milliseconds=milliseconds)
