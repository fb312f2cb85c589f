"""Request a deployment until it responds correctly or a timeout is reached."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple, TypeAlias

import httpx
import stamina

from mastra_core.errors import ApiError, DeploymentFailed
from mastra_core.pipeline import Deployment, Report
from mastra_core.secret import Secret
from mastra_deployer.kit.http.origin_transport import OriginTransport
from mastra_deployer.kit.http.response_deadline import DeadlineExceeded, limit_time
from mastra_deployer.plugins.untyped_calls import call_plugin

__all__ = ("SmokeCheck", "SmokeResult", "choose_smoke_check", "run_smoke_test")

SignSmoke: TypeAlias = Callable[[str], Mapping[str, Secret]]

_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_REQUEST_TIMEOUT = 30  # seconds
_HINT = "To request another path, pass --smoke PATH. To skip the smoke test, pass --no-smoke."
_PROTECTION_HINT = (
    "If a login protects the deployment, give the target the credentials for the protection: "
    f"`mastra doctor` shows what is missing. {_HINT}"
)
_REJECTED = (401, 403)
_HEALTHY = {"success": True}  # what a Mastra app answers at /health
_MAX_HEALTH = 1024  # bytes of that answer to read


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmokeResult:
    """Response of a deployment to the smoke test.

    :param url: the requested URL.
    :param status: the HTTP status.
    :param milliseconds: duration of the request that succeeded.
    :param other_host: the other host to which the request was redirected; empty for none.
    """

    url: str
    status: int
    milliseconds: int
    other_host: str = ""


class SmokeCheck(NamedTuple):
    """The request of a smoke test, and the responses that count as success.

    :param path: the path to request.
    :param first_failing_status: the smallest HTTP status that is a failure.
    :param is_health: whether the response must be that of a Mastra app at ``/health``.
    """

    path: str
    first_failing_status: int = _CLIENT_ERROR
    is_health: bool = False


def choose_smoke_check(kind: str, path: str | None) -> SmokeCheck:
    """Return the request of a smoke test.

    For a Mastra app, the path is ``/health``. The answer of ``/health`` is known, so the test fails
    if a login page answers instead. For an app of another framework, the path is ``/``, and only a
    5xx counts as a failure.

    :param kind: ``mastra``, ``asgi`` or ``wsgi``.
    :param path: the user's own path; ``None`` for the default of ``kind``.
    """
    if path is not None:
        return SmokeCheck(path)
    if kind == "mastra":
        return SmokeCheck("/health", is_health=True)
    return SmokeCheck("/", _SERVER_ERROR)


def run_smoke_test(
    deployment: Deployment, check: SmokeCheck, report: Report, *, timeout: float
) -> SmokeResult | None:
    """Request a deployment repeatedly until it responds correctly.

    :param deployment: the deployment, with its URL and headers.
    :param check: the path to request, and the responses that count as success.
    :param report: receives progress.
    :param timeout: seconds until a missing or failing response counts as a failure.
    :returns: ``None`` for a deployment without a URL, such as an image in a registry.
    :raises DeploymentFailed: when the deployment does not respond correctly in time.
    """
    if not deployment.url.startswith(("http://", "https://")):
        return None
    url = deployment.url.rstrip("/") + "/" + check.path.lstrip("/")
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
            result = request_with_retry(client, url, check, sign)
    except _UnhealthyResponse as error:
        raise DeploymentFailed(f"{url} {error}.", error.hint, deployment=deployment) from None
    if result.other_host:
        report.note(
            f"The smoke test was redirected to {result.other_host}, so the response may be that of "
            "a login page and not of the app.",
            "Pass --smoke PATH with a path that the app itself answers.",
        )
    return result


def _reveal(headers: Mapping[str, Secret]) -> dict[str, str]:
    return {name: value.reveal() for name, value in headers.items()}


class _UnhealthyResponse(Exception):
    """A missing or failing response; a later request may succeed.

    :param text: what is wrong, as the rest of a sentence about the URL.
    :param hint: the cure.
    """

    def __init__(self, text: str, hint: str = _HINT) -> None:
        super().__init__(text)
        self.hint = hint


class _Response(NamedTuple):
    """The properties of a response that decide whether the deployment works.

    :param status: the HTTP status.
    :param is_redirect: whether the response is a redirect that was not followed.
    :param other_host: the host that the request was redirected to; empty for the deployment's host.
    :param is_healthy: whether the response is that of a Mastra app at ``/health``; ``False`` if
        another path was requested.
    """

    status: int
    is_redirect: bool
    other_host: str
    is_healthy: bool


def _request_once(
    client: httpx.Client, url: str, check: SmokeCheck, sign: SignSmoke | None
) -> SmokeResult:
    # A signature is valid for minutes only, so each try has its own.
    headers = _reveal(call_plugin("the deployer", "sign_smoke", lambda: sign(url))) if sign else {}
    started = time.monotonic()
    response = _read_response(client, url, headers, is_health=check.is_health)
    _check_response(response, check)
    return SmokeResult(
        url=url,
        status=response.status,
        milliseconds=round((time.monotonic() - started) * 1000),
        other_host="" if response.is_healthy else response.other_host,
    )


def _read_response(
    client: httpx.Client, url: str, headers: dict[str, str], *, is_health: bool
) -> _Response:
    try:
        # The body may be endless, and the headers may arrive slowly.
        with limit_time(_REQUEST_TIMEOUT), client.stream("GET", url, headers=headers) as response:
            redirect = response.next_request
            host = (response.url if redirect is None else redirect.url).host
            return _Response(
                status=response.status_code,
                is_redirect=redirect is not None,
                other_host="" if _is_same_host(host, httpx.URL(url).host) else host,
                is_healthy=is_health and redirect is None and _is_healthy(response),
            )
    except ApiError as error:
        raise _UnhealthyResponse(f"leads to a wrong address: {error.message.rstrip('.')}") from None
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _UnhealthyResponse(f"redirects to an invalid address: {error}") from None
    except DeadlineExceeded:
        raise _UnhealthyResponse(f"does not respond in {_REQUEST_TIMEOUT} s") from None
    except httpx.HTTPError as error:
        raise _UnhealthyResponse(
            f"does not respond: {str(error) or type(error).__name__}"
        ) from None


def _check_response(response: _Response, check: SmokeCheck) -> None:
    """Raise ``_UnhealthyResponse`` if the response counts as a failure of the smoke test."""
    lacks_health = check.is_health and not response.is_healthy
    if lacks_health and response.other_host:
        raise _UnhealthyResponse(
            f"redirects to {response.other_host}, which is not the app", _PROTECTION_HINT
        )
    if response.status >= check.first_failing_status:
        hint = _PROTECTION_HINT if response.status in _REJECTED else _HINT
        raise _UnhealthyResponse(f"responds with status {response.status}", hint)
    # With the headers of a protection, a redirect on the same host is not followed, and passes.
    if lacks_health and not response.is_redirect:
        raise _UnhealthyResponse(
            f"responds with status {response.status}, but not with the app's answer "
            f"{json.dumps(_HEALTHY)}",
            _PROTECTION_HINT,
        )


def _is_same_host(one: str, other: str) -> bool:
    """Return whether two host names are equal except for ``www.``."""
    return one.removeprefix("www.") == other.removeprefix("www.")


def _is_healthy(response: httpx.Response) -> bool:
    """Return whether the content is that of a Mastra app at ``/health``."""
    content = b""
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > _MAX_HEALTH:
            return False
    try:
        answer = json.loads(content)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.items() >= _HEALTHY.items()
