"""Sends a request again where that is safe, when the platform wants it.

The schedule is tenacity's, which stamina is made of: stamina has no way to say how to wait, and
here every wait goes through the kit's clock, so that an upload can end it and tests need not wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import httpx
import tenacity

from mastra_deployer.kit.adaptive_limiter import pause, slow_down, speed_up
from mastra_deployer.kit.clock import now
from mastra_deployer.kit.connection_errors import is_lasting, unreachable
from mastra_deployer.kit.replay import Replay
from mastra_deployer.kit.retry_after import asked_wait, is_limited

__all__ = ("LONGEST_WAIT", "Patient")

LONGEST_WAIT = 60.0  # seconds; a platform that asks for more is told no, not slept on
_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS"))
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529))
_ATTEMPTS = 6
_ATTEMPTS_TOLD = 12  # a platform that says when to come again is alive
_ATTEMPTS_SILENT = 3  # each costs a whole timeout
_backoff = tenacity.wait_exponential(multiplier=0.2, max=10) + tenacity.wait_random(0, 0.2)
_spread = tenacity.wait_random(0, 0.1)  # who was told the same does not come at the same moment


class _Passing(Exception):
    """An answer that may be another one later."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.status_code)
        self.response = response

    @property
    def wait(self) -> float | None:
        return asked_wait(self.response.status_code, self.response.headers)


class Patient(httpx.BaseTransport):
    """Repeats what is safe to repeat.

    :param home: the origin that the private headers are meant for.
    :param private: headers of the client that no other host gets to see.
    """

    def __init__(
        self, inner: httpx.BaseTransport, home: httpx.URL, private: Mapping[str, str]
    ) -> None:
        self._inner = inner
        self._home = home
        self._private = private

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and send again."""
        self._keep_home(request)
        replay = Replay(request)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: replay.is_possible and _may_repeat(request, error)
            ),
            stop=_is_enough,
            wait=_wait,
            sleep=pause,
            reraise=True,
        )
        try:
            return retrying(self._once, request, replay)
        except _Passing as error:
            return error.response

    def close(self) -> None:
        """Close all connections."""
        self._inner.close()

    def _once(self, request: httpx.Request, replay: Replay) -> httpx.Response:
        replay.rewind()
        begun = now()
        response = self._inner.handle_request(request)
        if is_limited(response.status_code, response.headers):
            response = _read(response)
            slow_down(begun, min(_Passing(response).wait or 0.0, LONGEST_WAIT))
            raise _Passing(response)
        if response.status_code in _PASSING:
            raise _Passing(_read(response))
        speed_up()
        if "mastra_stream" in request.extensions:
            response.stream = _Told(request, cast("httpx.SyncByteStream", response.stream))
            return response
        return _read(response)

    def _keep_home(self, request: httpx.Request) -> None:
        if same_origin(request.url, self._home):
            return
        for name, value in self._private.items():
            if request.headers.get(name) == value:
                del request.headers[name]


class _Told(httpx.SyncByteStream):
    """A body that is read piece by piece; when it breaks off, that is our error."""

    def __init__(self, request: httpx.Request, stream: httpx.SyncByteStream) -> None:
        self._request = request
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except httpx.RequestError as error:
            raise unreachable(self._request, error) from error

    def close(self) -> None:
        self._stream.close()


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether two addresses are of the same server, by the same protocol."""
    return (one.scheme, one.host, _port(one)) == (other.scheme, other.host, _port(other))


def _port(url: httpx.URL) -> int | None:
    return url.port or {"https": 443, "http": 80}.get(url.scheme)


def _read(response: httpx.Response) -> httpx.Response:
    """The answer with its whole body, so that one that breaks off is asked for again too."""
    stream = cast("httpx.SyncByteStream", response.stream)
    try:
        body = b"".join(stream)
    finally:
        stream.close()
    return httpx.Response(
        response.status_code,
        headers=response.headers,
        stream=httpx.ByteStream(body),
        extensions=response.extensions,
    )


def _may_repeat(request: httpx.Request, error: BaseException) -> bool:
    idempotent = request.extensions.get("mastra_idempotent", request.method in _IDEMPOTENT)
    if isinstance(error, _Passing):
        wait = error.wait
        if wait is not None and wait > LONGEST_WAIT:
            return False
        return idempotent or _was_refused(error.response, wait)
    if not isinstance(error, httpx.TransportError) or is_lasting(error):
        return False
    return idempotent or isinstance(
        error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout
    )


def _was_refused(response: httpx.Response, wait: float | None) -> bool:
    """Whether the platform said that it did not begin: a bare 503 may come from in between."""
    return is_limited(response.status_code, response.headers) and (
        response.status_code != 503 or wait is not None  # noqa: PLR2004  # statuses are their numbers
    )


def _is_enough(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    attempts = _ATTEMPTS
    if isinstance(error, _Passing) and error.wait is not None:
        attempts = _ATTEMPTS_TOLD
    elif isinstance(error, httpx.TimeoutException):
        attempts = _ATTEMPTS_SILENT
    return state.attempt_number >= attempts


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    told = error.wait if isinstance(error, _Passing) else None
    return _backoff(state) if told is None else told + _spread(state)
