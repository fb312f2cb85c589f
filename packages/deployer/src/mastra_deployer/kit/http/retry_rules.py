"""Decide which failed requests are repeated, how often, and after which wait."""

from __future__ import annotations

import dataclasses

import httpx
import tenacity

from mastra_deployer.kit.http.connection_errors import is_permanent
from mastra_deployer.kit.http.error_messages import extract_code
from mastra_deployer.kit.http.retry_after import is_rate_limited, parse_retry_after

__all__ = ("MAX_WAIT", "RetryRules", "RetryableResponse", "compute_wait", "is_exhausted")

MAX_WAIT = 60.0  # seconds; a longer wait is reported as an error
_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS"))
_RETRYABLE = frozenset((408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529))
_ATTEMPTS = 6
_ATTEMPTS_RETRY_AFTER = 12  # a platform that says when to retry is working
_ATTEMPTS_TIMEOUT = 3  # each attempt takes a whole timeout
_backoff = tenacity.wait_exponential(multiplier=0.2, max=10) + tenacity.wait_random(0, 0.2)
# So that clients with the same retry-after do not retry at the same time.
_jitter = tenacity.wait_random(0, 0.1)


class RetryableResponse(Exception):
    """A response that may be different in a later attempt.

    :param response: the response of the attempt that failed.
    :param is_unprocessed: whether the platform certainly did not begin to process the request.
    :param is_rejection: whether the platform asks the client to try again later.
    """

    def __init__(
        self, response: httpx.Response, *, is_unprocessed: bool = False, is_rejection: bool = False
    ) -> None:
        super().__init__(response.status_code)
        self.response = response
        self.is_unprocessed = is_unprocessed
        self.is_rejection = is_rejection

    @property
    def retry_after(self) -> float | None:
        """The seconds that the platform asks to wait; ``None`` if it asks for no wait."""
        return parse_retry_after(self.response.status_code, self.response.headers)


@dataclasses.dataclass(frozen=True)
class RetryRules:
    """The retry rules of one client.

    :param codes: statuses and codes of the platform that mean "not processed, try again later".
    """

    codes: frozenset[int | str] = frozenset()

    def classify(self, response: httpx.Response) -> RetryableResponse | None:
        """Return an exception for the response if a later attempt may succeed, or else ``None``.

        :param response: the response of one attempt.
        """
        status = response.status_code
        if self._has_listed_code(response):
            return RetryableResponse(response, is_unprocessed=True, is_rejection=True)
        if is_rate_limited(status, response.headers):
            error = RetryableResponse(response, is_rejection=True)
            # A bare 503 does not prove that the request was not processed.
            is_bare = status == httpx.codes.SERVICE_UNAVAILABLE and error.retry_after is None
            error.is_unprocessed = not is_bare
            return error
        return RetryableResponse(response) if status in _RETRYABLE else None

    def can_retry(self, request: httpx.Request, error: BaseException) -> bool:
        """Return whether a request may be repeated after an error.

        :param request: the request.
        :param error: the error of the request's last attempt.
        """
        idempotent = request.extensions.get("mastra_idempotent", request.method in _IDEMPOTENT)
        if isinstance(error, RetryableResponse):
            wait = error.retry_after
            return (wait is None or wait <= MAX_WAIT) and (idempotent or error.is_unprocessed)
        if not isinstance(error, httpx.TransportError) or is_permanent(error):
            return False
        return idempotent or isinstance(
            error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout
        )

    def _has_listed_code(self, response: httpx.Response) -> bool:
        """Return whether ``codes`` contains the status or the platform's code of an error."""
        if not self.codes or not response.is_error:
            return False
        response.read()
        listed_codes = {*self.codes, *map(str, self.codes)}  # a code may be a number
        return response.status_code in listed_codes or extract_code(response) in listed_codes


def is_exhausted(state: tenacity.RetryCallState) -> bool:
    """Return whether no further attempt is made.

    :param state: the state of tenacity.
    """
    error = state.outcome.exception() if state.outcome else None
    attempts = _ATTEMPTS
    if isinstance(error, RetryableResponse) and error.retry_after is not None:
        attempts = _ATTEMPTS_RETRY_AFTER
    elif isinstance(error, httpx.TimeoutException):
        attempts = _ATTEMPTS_TIMEOUT
    return state.attempt_number >= attempts


def compute_wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds before the next attempt.

    :param state: the state of tenacity.
    """
    error = state.outcome.exception() if state.outcome else None
    wait = error.retry_after if isinstance(error, RetryableResponse) else None
    return _backoff(state) if wait is None else wait + _jitter(state)
