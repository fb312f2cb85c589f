"""Sends a request again where that is safe and the failure may pass.

tenacity provides the schedule of retries. Each wait goes through the kit's clock, so that an upload
can end the wait and tests can skip it. stamina, which is built on tenacity, accepts no sleep
function.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import cast

import httpx
import tenacity

from mastra_core.errors import ApiError, DeployTimeout
from mastra_deployer.kit.clock import now
from mastra_deployer.kit.http.connection_errors import is_permanent, to_deploy_error
from mastra_deployer.kit.http.destinations import is_same_origin
from mastra_deployer.kit.http.replay import ReplayableBody
from mastra_deployer.kit.http.response_deadline import DeadlineExceeded, limit_time
from mastra_deployer.kit.http.response_limits import ResponseLimits, iter_limited, read_response
from mastra_deployer.kit.http.retry_after import is_rate_limited, parse_retry_after
from mastra_deployer.kit.uploads.adaptive_limiter import (
    report_rejection,
    report_success,
    wait_for_retry,
)

__all__ = ("MAX_WAIT", "RetryTransport")

MAX_WAIT = 60.0  # seconds; a longer wait is reported as an error
# A streamed body is not kept in memory, so it may be as large as a layer of an image.
_STREAM_LIMITS = ResponseLimits(size=1 << 34, seconds=3600)
_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS"))
_RETRYABLE = frozenset((408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529))
_ATTEMPTS = 6
_ATTEMPTS_RETRY_AFTER = 12  # a platform that states when to come again is alive
_ATTEMPTS_TIMEOUT = 3  # each costs a whole timeout
_backoff = tenacity.wait_exponential(multiplier=0.2, max=10) + tenacity.wait_random(0, 0.2)
_jitter = tenacity.wait_random(0, 0.1)  # clients with the same retry-after do not come together


class _RetryableResponse(Exception):
    """A response that may differ on a later attempt."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.status_code)
        self.response = response

    @property
    def retry_after(self) -> float | None:
        return parse_retry_after(self.response.status_code, self.response.headers)


class RetryTransport(httpx.BaseTransport):
    """A transport that repeats requests where that is safe.

    :param inner: sends one request.
    :param home: the origin that the private headers are meant for.
    :param private: headers of the client that are removed from requests to other origins.
    :param limits: of each response that is not streamed.
    :param timeout: seconds for each network operation of a request that sets none: those of an
        ``httpx.Auth`` do not.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        home: httpx.URL,
        private: Mapping[str, str],
        limits: ResponseLimits,
        timeout: float,
    ) -> None:
        self._timeout = httpx.Timeout(timeout).as_dict()
        self._inner = inner
        self._home = home
        self._private = private
        self._limits = limits

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and repeat it while that is safe and useful.

        :param request: as httpx built it.
        :raises ApiError: for an address that the platform must not refer to.
        :raises DeployTimeout: when a response is not complete in time.
        """
        self._remove_private_headers(request)
        request.extensions = {"timeout": self._timeout, **request.extensions}
        body = ReplayableBody(request)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: body.is_replayable and _can_retry(request, error)
            ),
            stop=_is_exhausted,
            wait=_compute_wait,
            sleep=wait_for_retry,
            reraise=True,
        )
        try:
            return retrying(self._send, request, body)
        except _RetryableResponse as error:
            return error.response

    def close(self) -> None:
        """Close all connections."""
        self._inner.close()

    def _send(self, request: httpx.Request, body: ReplayableBody) -> httpx.Response:
        body.rewind()
        start = now()
        response = self._exchange(request)
        if is_rate_limited(response.status_code, response.headers):
            rejection = _RetryableResponse(response)
            report_rejection(start, min(rejection.retry_after or 0.0, MAX_WAIT))
            raise rejection
        if response.status_code in _RETRYABLE:
            raise _RetryableResponse(response)
        report_success()
        return response

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        """Send a request once, and read its response unless it is streamed.

        The body is read here, so that a connection lost within it is retried too.
        """
        is_streamed = "mastra_stream" in request.extensions
        default = _STREAM_LIMITS if is_streamed else self._limits
        limits = default.override(request.extensions)
        try:
            with limit_time(limits.seconds):
                response = self._inner.handle_request(request)
                if not is_streamed or not response.is_success:
                    return read_response(request, response, limits.size)
        except DeadlineExceeded:
            raise _build_timeout(request, limits) from None
        _refuse_encoding(request, response)
        stream = cast("httpx.SyncByteStream", response.stream)
        response.stream = _ResponseStream(request, stream, limits)
        return response

    def _remove_private_headers(self, request: httpx.Request) -> None:
        if is_same_origin(request.url, self._home):
            return
        for name, value in self._private.items():
            if request.headers.get(name) == value:
                del request.headers[name]


class _ResponseStream(httpx.SyncByteStream):
    """A streamed body with limits, whose errors are those of ``mastra_core``."""

    def __init__(
        self, request: httpx.Request, stream: httpx.SyncByteStream, limits: ResponseLimits
    ) -> None:
        self._request = request
        self._stream = stream
        self._limits = limits

    def __iter__(self) -> Iterator[bytes]:
        chunks = iter_limited(self._request, self._iter_in_time(), self._limits.size)
        try:
            yield from chunks
        except DeadlineExceeded:
            raise _build_timeout(self._request, self._limits) from None
        except httpx.RequestError as error:
            raise to_deploy_error(self._request, error) from error

    def close(self) -> None:
        self._stream.close()

    def _iter_in_time(self) -> Iterator[bytes]:
        """Yield the chunks; the time between two reads, in which the caller works, counts too."""
        chunks, end = iter(self._stream), self._limits.seconds
        start = time.monotonic()
        while True:
            left = None if end is None else end - (time.monotonic() - start)
            with limit_time(left):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk


def _build_timeout(request: httpx.Request, limits: ResponseLimits) -> DeployTimeout:
    return DeployTimeout(
        f"{request.url.host} did not complete its answer to {request.method} {request.url.path} "
        f"in {limits.seconds:g} s.",
        "Run the same command again.",
    )


def _refuse_encoding(request: httpx.Request, response: httpx.Response) -> None:
    """Raise for a compressed stream: the client asks for none, and its size would be unknown."""
    if response.headers.get("content-encoding", "identity").lower() == "identity":
        return
    response.close()
    raise ApiError(
        f"{request.url.host} compressed its answer to {request.method} {request.url.path}.",
        "Check any proxy between this machine and the platform: it must not alter the content.",
    )


def _can_retry(request: httpx.Request, error: BaseException) -> bool:
    idempotent = request.extensions.get("mastra_idempotent", request.method in _IDEMPOTENT)
    if isinstance(error, _RetryableResponse):
        wait = error.retry_after
        if wait is not None and wait > MAX_WAIT:
            return False
        return idempotent or _is_unprocessed(error.response, wait)
    if not isinstance(error, httpx.TransportError) or is_permanent(error):
        return False
    return idempotent or isinstance(
        error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout
    )


def _is_unprocessed(response: httpx.Response, wait: float | None) -> bool:
    """Return whether the platform did not process the request; a bare 503 proves nothing."""
    return is_rate_limited(response.status_code, response.headers) and (
        response.status_code != 503 or wait is not None  # noqa: PLR2004  # statuses are their numbers
    )


def _is_exhausted(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    attempts = _ATTEMPTS
    if isinstance(error, _RetryableResponse) and error.retry_after is not None:
        attempts = _ATTEMPTS_RETRY_AFTER
    elif isinstance(error, httpx.TimeoutException):
        attempts = _ATTEMPTS_TIMEOUT
    return state.attempt_number >= attempts


def _compute_wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    wait = error.retry_after if isinstance(error, _RetryableResponse) else None
    return _backoff(state) if wait is None else wait + _jitter(state)
