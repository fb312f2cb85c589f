"""The client that ``connect`` returns: failed requests raise errors of ``mastra_core.errors``."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from mastra_core.errors import ApiError, AuthError, DeployError
from mastra_core.secret import Secret
from mastra_deployer.kit.http.connection_errors import to_deploy_error
from mastra_deployer.kit.http.destinations import is_same_origin
from mastra_deployer.kit.http.error_messages import (
    extract_code,
    extract_credentials,
    extract_message,
)
from mastra_deployer.kit.http.response_limits import ResponseLimits
from mastra_deployer.kit.http.retry_after import is_rate_limited, parse_retry_after
from mastra_deployer.kit.http.retry_transport import MAX_WAIT, RetryTransport
from mastra_deployer.output.masking import redact

__all__ = ("PlatformClient",)

_ERRORS_FROM = 400
_MAX_REDIRECTS = 5
_LONGEST = 365 * 86400  # seconds of a wait that is written as a number
_SENSITIVE = ("auth", "token", "key", "secret", "cookie", "password")


class PlatformClient(httpx.Client):
    """An ``httpx.Client`` that raises ``ApiError``, ``AuthError`` and ``DeployTimeout``.

    :param base_url: the address of the API; credentials go to its origin only.
    :param name: the platform's name in errors; the host's where empty.
    :param token: sent as a bearer token.
    :param auth: another way to authorize, in place of ``token``.
    :param headers: sent with every request to the origin of ``base_url``.
    :param timeout: seconds for each network operation.
    :param transport: sends one request; retries are added here.
    :param limits: of each response that is not streamed.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str,
        token: Secret | None,
        auth: httpx.Auth | None,
        headers: Mapping[str, str],
        timeout: float,
        transport: httpx.BaseTransport,
        limits: ResponseLimits,
    ) -> None:
        home = httpx.URL(base_url)
        self._name = name
        self._home = home
        self._secrets = [value for key, value in headers.items() if _is_sensitive(key)]
        inner = auth or (_BearerAuth(token) if token else None)
        super().__init__(
            base_url=base_url,
            # A compressed response would be decompressed here, at any size.
            headers={
                "user-agent": "mastra-deployer",
                "accept-encoding": "identity",
                **headers,
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            auth=_SameOriginAuth(inner, home) if inner else None,
            timeout=timeout,
            transport=RetryTransport(transport, home, headers, limits, timeout),
        )

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request as httpx does.

        :param request: its ``extensions`` may hold the keys that ``connect`` describes.
        :param options: those of ``httpx.Client.send``.
        :raises AuthError: for 401 and 403.
        :raises ApiError: for any other status of 400 and above, and where there is no response.
        :raises DeployTimeout: when the response does not arrive in time.
        """
        if options.get("stream"):
            request.extensions = {**request.extensions, "mastra_stream": True}
        follow = options.pop("follow_redirects", False)
        response = self._send_once(request, **options)
        if follow is not True and not (follow and self.follow_redirects):
            return response
        return self._follow_redirects(response, **options)

    def _follow_redirects(self, response: httpx.Response, **options: Any) -> httpx.Response:
        """Send the request of each redirect as one of its own, authorized for its own origin.

        httpx would let the authorization of the first request answer the last response.
        """
        for _ in range(_MAX_REDIRECTS):
            following = response.next_request
            if following is None:
                return response
            response.close()
            if not is_same_origin(following.url, response.request.url):
                _require_readable(response.request, following)
                options["auth"] = None
            response = self._send_once(following, **options)
        if response.next_request is None:
            return response
        response.close()
        raise ApiError(
            f"{response.request.url.host} redirects more than {_MAX_REDIRECTS} times.",
            "Check the address, and any proxy between this machine and the platform.",
        )

    def _send_once(self, request: httpx.Request, **options: Any) -> httpx.Response:
        try:
            response = super().send(request, follow_redirects=False, **options)
        except httpx.RequestError as error:
            failed = _get_failed_request(error, request)
            secrets = self._list_secrets(request)
            raise _redact_error(to_deploy_error(failed, error), secrets) from error
        accepted: Iterable[int] = request.extensions.get("mastra_accept", ())
        if response.status_code < _ERRORS_FROM or response.status_code in accepted:
            return response
        secrets = self._list_secrets(request, response.request)
        raise _redact_error(_build_error(self._name, self._home, response, secrets), secrets)

    def _list_secrets(self, *requests: httpx.Request) -> list[str]:
        """Return the credentials of the client and of requests."""
        secrets = list(self._secrets)
        for request in requests:
            for name, value in request.headers.items():
                secrets += extract_credentials(value) if _is_sensitive(name) else ()
        return secrets


class _BearerAuth(httpx.Auth):
    """Reveals the token only where the header is set."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        token = self._token.reveal().strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise AuthError(
                "The token has characters that no token can have, such as spaces or line breaks.",
                "Copy the whole token again, and nothing else.",
            )
        request.headers["authorization"] = f"Bearer {token}"
        yield request


class _SameOriginAuth(httpx.Auth):
    """Authorizes requests to the platform's origin only, also after a redirect."""

    def __init__(self, inner: httpx.Auth, home: httpx.URL) -> None:
        self._inner = inner
        self._home = home

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        if is_same_origin(request.url, self._home):
            yield from self._inner.sync_auth_flow(request)
        else:
            yield request


def _require_readable(request: httpx.Request, following: httpx.Request) -> None:
    """Raise for a redirect that would send the content of a request to another host."""
    if following.method not in ("GET", "HEAD"):
        raise ApiError(
            f"{request.url.host} redirects {request.method} {request.url.path} to another host, "
            f"{following.url.host!r}.",
            "The content was not sent there. Check the address of the platform.",
        )


def _redact_error(error: DeployError, secrets: list[str]) -> DeployError:
    """Remove credentials from an error."""
    error.message = redact(error.message, secrets)
    error.args = (error.message,)
    if isinstance(error, ApiError | AuthError):
        error.code = redact(error.code, secrets)
    return error


def _build_error(
    name: str, home: httpx.URL, response: httpx.Response, secrets: list[str]
) -> DeployError:
    request, status = response.request, response.status_code
    is_platform = is_same_origin(request.url, home)
    platform = name if name and is_platform else request.url.host
    call, message = f"{request.method} {request.url.path}", extract_message(response, secrets)
    wait = parse_retry_after(status, response.headers)
    if wait is not None and wait > MAX_WAIT:
        return ApiError(
            f"{platform} accepts {call} again only in {_format_duration(wait)} ({status}): "
            f"{message}",
            "Run the same command again after that time; steps that are done are not repeated.",
            status=status,
            code=extract_code(response),
        )
    text = f"{platform} answered {status} to {call}: {message}"
    if status in (401, 403) and is_platform and not is_rate_limited(status, response.headers):
        hint = "Check that the token is the right one and has the required scopes."
        return AuthError(text, hint, code=extract_code(response))
    hint = "The message is the platform's own; correct what it names."
    if status == 404:  # noqa: PLR2004  # Not Found
        hint = "Check the names in the settings; `mastra deployments` lists the deployments."
    return ApiError(text, hint, status=status, code=extract_code(response))


def _format_duration(seconds: float) -> str:
    if seconds > _LONGEST:
        return "more than a year"
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}s"
    return f"{seconds:.0f} seconds"


def _get_failed_request(error: httpx.RequestError, request: httpx.Request) -> httpx.Request:
    """Return the request that failed: authorization may have sent another one first."""
    try:
        return error.request
    except RuntimeError:  # httpx did not set it
        return request


def _is_sensitive(header: str) -> bool:
    return any(word in header.lower() for word in _SENSITIVE)
