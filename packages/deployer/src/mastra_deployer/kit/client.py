"""The client that ``connect`` makes: answers of 400 and more, and none at all, are our errors."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any

import httpx

from mastra_core.errors import ApiError, AuthError, DeployError
from mastra_core.secret import Secret
from mastra_deployer.kit.connection_errors import unreachable
from mastra_deployer.kit.error_messages import (
    credentials_in,
    platform_code,
    platform_words,
    redact,
)
from mastra_deployer.kit.retry_after import asked_wait, is_limited
from mastra_deployer.kit.retry_transport import LONGEST_WAIT, Patient, same_origin

__all__ = ("PlatformClient",)

_ERRORS_FROM = 400
_TELLING = ("auth", "token", "key", "secret", "cookie", "password")


class PlatformClient(httpx.Client):
    """An ``httpx.Client`` whose errors are ours.

    :param called: the platform's name; the host's where empty.
    """

    def __init__(
        self,
        base_url: str,
        *,
        called: str,
        token: Secret | None,
        auth: httpx.Auth | None,
        headers: Mapping[str, str],
        timeout: float,
        transport: httpx.BaseTransport,
    ) -> None:
        home = httpx.URL(base_url)
        self._called = called
        self._secrets = [value for name, value in headers.items() if _is_telling(name)]
        bearer = _Bearer(token) if token else None
        authorise = auth or bearer
        super().__init__(
            base_url=base_url,
            headers={"user-agent": "mastra-deployer", **headers},
            auth=_AtHome(authorise, home) if authorise else None,
            timeout=timeout,
            transport=Patient(transport, home, headers),
        )

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As httpx sends.

        :raises AuthError: for 401 and 403.
        :raises ApiError: for any other answer of 400 and more, and for none.
        :raises DeployTimeout: when the answer takes too long.
        """
        if options.get("stream"):
            request.extensions = {**request.extensions, "mastra_stream": True}
        try:
            response = super().send(request, **options)
        except httpx.RequestError as error:
            raise self._safe(unreachable(_request_of(error, request), error), request) from error
        accepted: Iterable[int] = request.extensions.get("mastra_accept", ())
        if response.status_code < _ERRORS_FROM or response.status_code in accepted:
            return response
        response.read()
        raise self._safe(_refused(self._called, response), request, response.request)

    def _safe(self, error: DeployError, *requests: httpx.Request) -> DeployError:
        """The error without what is secret in the requests."""
        secrets = list(self._secrets)
        for request in requests:
            for name, value in request.headers.items():
                secrets += credentials_in(value) if _is_telling(name) else ()
        error.message = redact(error.message, secrets)
        error.args = (error.message,)
        if isinstance(error, ApiError | AuthError):
            error.code = redact(error.code, secrets)
        return error


class _Bearer(httpx.Auth):
    """Reveals the token where the header is made, and nowhere before."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        token = self._token.reveal().strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise AuthError(
                "The token has characters that no token has: spaces, line breaks or the like.",
                "Copy it again, all of it and nothing else.",
            )
        request.headers["authorization"] = f"Bearer {token}"
        yield request


class _AtHome(httpx.Auth):
    """Authorises only what goes to the platform itself: it may send us elsewhere."""

    def __init__(self, inner: httpx.Auth, home: httpx.URL) -> None:
        self._inner = inner
        self._home = home

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        if same_origin(request.url, self._home):
            yield from self._inner.sync_auth_flow(request)
        else:
            yield request


def _refused(called: str, response: httpx.Response) -> DeployError:
    request, status = response.request, response.status_code
    who = called or request.url.host
    where, words = f"{request.method} {request.url.path}", platform_words(response)
    wait = asked_wait(status, response.headers)
    if wait is not None and wait > LONGEST_WAIT:
        return ApiError(
            f"{who} takes {where} only in {_told(wait)} again ({status}): {words}",
            "Run the same command again then; what was done is not done twice.",
            status=status,
            code=platform_code(response),
        )
    text = f"{who} answered {status} to {where}: {words}"
    if status in (401, 403) and not is_limited(status, response.headers):
        hint = "Check that the token is the right one and has the scopes needed."
        return AuthError(text, hint, code=platform_code(response))
    hint = "The platform's words say what it wants."
    if status == 404:  # noqa: PLR2004  # Not Found
        hint = "Check the names in the settings; `mastra deployments` lists what there is."
    return ApiError(text, hint, status=status, code=platform_code(response))


def _told(seconds: float) -> str:
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}s"
    return f"{seconds:.0f} seconds"


def _request_of(error: httpx.RequestError, request: httpx.Request) -> httpx.Request:
    """The request that failed: authorising may have asked elsewhere first."""
    try:
        return error.request
    except RuntimeError:  # httpx did not note it
        return request


def _is_telling(name: str) -> bool:
    return any(word in name.lower() for word in _TELLING)
