"""Repeat a request if this is safe and the failure may be temporary.

tenacity provides the schedule of retries. Each wait uses the kit's clock, so that an upload can end
the wait and tests can skip it. (The package stamina is not used, because it accepts no sleep
function.)

Each attempt gets its own authorization, because retries may take minutes and a signature contains
its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import httpx
import tenacity

from mastra_core.errors import ApiError, DeployTimeout
from mastra_deployer.kit.clock import now
from mastra_deployer.kit.http.connection_errors import to_deploy_error
from mastra_deployer.kit.http.destinations import is_same_origin
from mastra_deployer.kit.http.replay import ReplayableBody
from mastra_deployer.kit.http.response_deadline import DeadlineExceeded, limit_time
from mastra_deployer.kit.http.response_limits import ResponseLimits, iter_limited, read_response
from mastra_deployer.kit.http.retry_rules import (
    MAX_WAIT,
    RetryableResponse,
    RetryRules,
    compute_wait,
    is_exhausted,
)
from mastra_deployer.kit.uploads.adaptive_limiter import (
    has_limiter,
    report_rejection,
    report_success,
    wait_for_retry,
)
from mastra_deployer.output.retry_notice import announce_retry

__all__ = ("BeforeAttempt", "RetryTransport")

BeforeAttempt = Callable[[httpx.Request, int], None]
# A streamed body is not kept in memory, so it may be as large as a layer of an image.
_STREAM_LIMITS = ResponseLimits(size=1 << 34, seconds=3600)
_SILENT_SECONDS = 1.0  # of waiting; a shorter interruption is not announced


class RetryTransport(httpx.BaseTransport):
    """A transport that repeats requests if this is safe.

    :param inner: sends one request.
    :param home: the origin to which the private headers are sent.
    :param private: headers of the client that are removed from requests to other origins.
    :param limits: the limits of each response that is not streamed.
    :param timeout: seconds for each network operation of a request that has no timeout, such as a
        request of an ``httpx.Auth``.
    :param rules: which responses are retried.
    :param before_attempt: called before each attempt at a request to ``home``, with the request and
        the number of earlier attempts, to set headers.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        home: httpx.URL,
        private: Mapping[str, str],
        limits: ResponseLimits,
        timeout: float,
        rules: RetryRules,
        before_attempt: BeforeAttempt | None,
    ) -> None:
        self._rules = rules
        self._before_attempt = before_attempt
        self._timeout = httpx.Timeout(timeout).as_dict()
        self._inner = inner
        self._home = home
        self._private = private
        self._limits = limits

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and repeat it while this is safe and useful.

        :param request: the request as httpx built it; the extension ``mastra_auth`` authorizes each
            attempt.
        :raises ApiError: for an address that the platform must not refer to.
        :raises DeployTimeout: when a response is not complete in time.
        """
        return self._repeat(request, self._before_attempt)

    def _repeat(
        self, request: httpx.Request, before_attempt: BeforeAttempt | None
    ) -> httpx.Response:
        self._remove_private_headers(request)
        request.extensions = {
            "timeout": self._timeout,
            **request.extensions,
            "mastra_headers": frozenset(request.headers),
        }
        attempts = _Attempts(request)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: attempts.body.is_replayable and self._rules.can_retry(request, error)
            ),
            stop=is_exhausted,
            wait=compute_wait,
            before_sleep=lambda state: _announce(request, state),
            sleep=wait_for_retry,
            reraise=True,
        )
        if not is_same_origin(request.url, self._home):
            before_attempt = None
        try:
            return retrying(self._send, attempts, before_attempt)
        except RetryableResponse as error:
            return error.response

    def close(self) -> None:
        """Close all connections."""
        self._inner.close()

    def _send(self, attempts: _Attempts, before_attempt: BeforeAttempt | None) -> httpx.Response:
        attempts.begin()
        if before_attempt is not None:
            before_attempt(attempts.request, attempts.count - 1)
        start = now()
        response = self._authorize_and_send(attempts)
        error = self._rules.classify(response)
        if error is None and attempts.needs_second_login(response):
            error = RetryableResponse(response, is_unprocessed=True)
        if error is not None:
            if error.is_rejection:
                report_rejection(start, min(error.retry_after or 0.0, MAX_WAIT))
            raise error
        report_success()
        return response

    def _authorize_and_send(self, attempts: _Attempts) -> httpx.Response:
        """Send a request once, with the requests that its authorization needs."""
        request = attempts.request
        auth: httpx.Auth = request.extensions.get("mastra_auth") or httpx.Auth()
        flow = auth.sync_auth_flow(request)
        try:
            current = next(flow)
            while True:
                response = self._exchange_next(current, attempts)
                response.request = current
                try:
                    current = flow.send(response)
                except StopIteration:
                    return response
                response.read()
        finally:
            flow.close()

    def _exchange_next(self, current: httpx.Request, attempts: _Attempts) -> httpx.Response:
        if current is attempts.request:
            attempts.body.rewind()
            return self._exchange(current)
        try:  # a request of the authorization, such as for a token, has attempts of its own
            return self._repeat(current, None)
        except httpx.RequestError as error:
            raise to_deploy_error(current, error) from error

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        """Send a request once, and read its response unless it is streamed.

        The body is read here, so that the request is also repeated if the connection is lost within
        the body.
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


class _Attempts:
    """The attempts of one request; each begins with the original headers and body."""

    def __init__(self, request: httpx.Request) -> None:
        self.request = request
        self.body = ReplayableBody(request)
        self.count = 0
        self._headers = request.headers.copy()
        self._has_second_login = False

    def begin(self) -> None:
        """Prepare the next attempt."""
        if self.count:
            self.request.headers = self._headers.copy()
        self.body.rewind()
        self.count += 1

    def needs_second_login(self, response: httpx.Response) -> bool:
        """Return whether this is a request's first 401, and the request allows another attempt."""
        if response.status_code != httpx.codes.UNAUTHORIZED or self._has_second_login:
            return False
        self._has_second_login = bool(self.request.extensions.get("mastra_retry_401"))
        return self._has_second_login


class _ResponseStream(httpx.SyncByteStream):
    """A streamed body with limits, which raises errors of ``mastra_core``."""

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
        """Yield the chunks within the time limit; the caller's time between reads counts too."""
        chunks, end = iter(self._stream), self._limits.seconds
        start = time.monotonic()
        while True:
            left = None if end is None else end - (time.monotonic() - start)
            with limit_time(left):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk


def _announce(request: httpx.Request, state: tenacity.RetryCallState) -> None:
    """Announce a wait; an upload shows its own progress, so its waits are not announced."""
    if state.idle_for < _SILENT_SECONDS or has_limiter():
        return
    error = state.outcome.exception() if state.outcome else None
    host = request.url.netloc.decode("ascii", "replace")
    if isinstance(error, RetryableResponse):
        announce_retry(host, f"{host} answered {error.response.status_code}")
    elif isinstance(error, httpx.RequestError):
        announce_retry(host, to_deploy_error(request, error).message.rstrip("."))


def _build_timeout(request: httpx.Request, limits: ResponseLimits) -> DeployTimeout:
    return DeployTimeout(
        f"{request.url.host} did not complete its response to {request.method} {request.url.path} "
        f"in {limits.seconds:g} s.",
        "Run the same command again.",
    )


def _refuse_encoding(request: httpx.Request, response: httpx.Response) -> None:
    """Raise an error for a compressed stream, because its real size is unknown."""
    if response.headers.get("content-encoding", "identity").lower() == "identity":
        return
    response.close()
    raise ApiError(
        f"{request.url.host} compressed its response to {request.method} {request.url.path}, "
        "although the request did not allow compression.",
        "Check any proxy between this machine and the platform. It must not change the content.",
    )
