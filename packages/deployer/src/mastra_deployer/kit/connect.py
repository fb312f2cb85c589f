"""A configured ``httpx.Client``: authorised, patient where that is safe, and clear when not."""

from __future__ import annotations

import datetime as dt
import functools
import ipaddress
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

import httpx
import stamina

from mastra_core.errors import ApiError, AuthError, ConfigError, DeployTimeout
from mastra_core.secret import Secret

__all__ = ("connect",)

_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS"))
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
_ATTEMPTS = 6
_LONGEST_WAIT = 60.0  # seconds; a platform that asks for more is told no, not slept on


def connect(
    base_url: str,
    token: Secret | None = None,
    *,
    auth: httpx.Auth | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 60,
    name: str = "",
) -> httpx.Client:
    """A client for one platform's API; may be shared between threads.

    Idempotent requests are repeated on 408, 425, 429, 5xx and broken connections, at most six
    times, as ``Retry-After`` says where it is given. Every other answer of 400 and more raises.
    An answer is read whole; ``extensions={"mastra_stream": True}`` leaves it to be streamed.

    :param base_url: https, or http to this machine only.
    :param token: sent as ``Authorization: Bearer``.
    :param auth: another way to authorise, in place of ``token``.
    :param name: what the platform is called in errors; its host where left out.
    :param timeout: seconds for each network operation.
    :raises ConfigError: for an address that would send the token in the clear.
    :raises AuthError: (on use) for 401 and 403.
    :raises ApiError: (on use) with the platform's own words.
    """
    _refuse_clear_text(base_url)
    return httpx.Client(
        base_url=base_url,
        headers=dict(headers or {}),
        auth=auth or (_Bearer(token) if token else None),
        timeout=timeout,
        transport=_Patient(_transport(base_url)),
        event_hooks={"response": [functools.partial(_raise_for_status, name)]},
    )


class _Bearer(httpx.Auth):
    """Reveals the token where the header is made, and nowhere before."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["authorization"] = f"Bearer {self._token.reveal()}"
        yield request


class _Passing(Exception):
    """An answer that may be another one later."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class _Patient(httpx.BaseTransport):
    """Repeats what is safe to repeat."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method not in _IDEMPOTENT:
            return self._told(request)
        try:
            for attempt in stamina.retry_context(
                on=_wait, attempts=_ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=10
            ):
                with attempt:
                    return self._once(request)
        except _Passing as error:
            return error.response
        except httpx.TransportError as error:
            raise _unreachable(request, error) from error
        raise AssertionError  # retry_context returns or raises

    def _once(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if response.status_code not in _PASSING and "mastra_stream" in request.extensions:
            return response
        # Read here, so that a body that breaks off is asked for again too.
        response = httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=httpx.ByteStream(b"".join(_closing(response))),
            extensions=response.extensions,
        )
        if response.status_code in _PASSING:
            raise _Passing(response)
        return response

    def _told(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._inner.handle_request(request)
        except httpx.TransportError as error:
            raise _unreachable(request, error) from error

    def close(self) -> None:
        self._inner.close()


def _closing(response: httpx.Response) -> Iterator[bytes]:
    stream = cast("httpx.SyncByteStream", response.stream)
    try:
        yield from stream
    finally:
        stream.close()


def _transport(base_url: str) -> httpx.HTTPTransport:
    """Through the proxy of the environment, where there is one for this address."""
    address = urlparse(base_url)
    proxy = None
    if not proxy_bypass(address.hostname or ""):
        proxy = getproxies().get(address.scheme)
    return httpx.HTTPTransport(proxy=proxy, limits=httpx.Limits(max_connections=32))


def _wait(error: Exception) -> bool | float:
    """Whether to try again, or after how many seconds the platform wants it."""
    if isinstance(error, _Passing):
        asked = _retry_after(error.response)
        return True if asked is None else asked if asked <= _LONGEST_WAIT else False
    return isinstance(error, httpx.TransportError)


def _retry_after(response: httpx.Response) -> float | None:
    """``Retry-After`` in seconds, given as a number or as a date."""
    text = response.headers.get("retry-after", "")
    if text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())


def _raise_for_status(name: str, response: httpx.Response) -> None:
    if response.status_code < 400:  # noqa: PLR2004  # where HTTP's errors begin
        return
    response.read()
    request = response.request
    where = f"{request.method} {request.url.path}"
    text = (
        f"{name or request.url.host} answered {response.status_code} to {where}: {_words(response)}"
    )
    if response.status_code in (401, 403):
        raise AuthError(text, "Check that the token is the right one and has the scopes needed.")
    raise ApiError(text, "The platform's words say what it wants.", status=response.status_code)


def _words(response: httpx.Response) -> str:
    """What the platform said, from the places where platforms say it."""
    try:
        body = response.json()
    except ValueError:
        return response.text.strip()[:300] or response.reason_phrase
    for part in (body, *(_part(body, key) for key in ("error", "errors"))):
        if isinstance(part, Mapping) and isinstance(part.get("message"), str):
            return str(part["message"])
    return str(body)[:300]


def _part(body: Any, key: str) -> Any:
    part = body.get(key) if isinstance(body, Mapping) else None
    return part[0] if isinstance(part, list) and part else part


def _unreachable(request: httpx.Request, error: httpx.TransportError) -> Exception:
    where = f"{request.url.scheme}://{request.url.netloc.decode()}"
    if isinstance(error, httpx.TimeoutException):
        return DeployTimeout(f"{where} did not answer in time.", "Run the same command again.")
    return ApiError(
        f"{where} cannot be reached: {error}.",
        "Check the network and the address; then run the same command again.",
    )


def _refuse_clear_text(base_url: str) -> None:
    address = urlparse(base_url)
    if address.scheme == "https" or (address.scheme == "http" and _is_loopback(address.hostname)):
        return
    raise ConfigError(
        f"The address {address.scheme}://{address.hostname} would send the token in the clear.",
        "Use https; plain http is for this machine only.",
    )


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
