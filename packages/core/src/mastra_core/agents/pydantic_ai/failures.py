"""What broke a run, in a sentence that is safe to show to whoever called.

What a provider answers is not: it may quote keys, addresses and accounts. It goes to the log.
"""

from __future__ import annotations

from typing import Any

from pydantic_ai import exceptions as native

from mastra_core.agents.events import Failure
from mastra_core.agents.function import to_failure
from mastra_core.errors import MastraError

__all__ = ("to_run_failure",)

# The first that fits says it; the status is that of the answer to an HTTP caller.
_MODEL: tuple[tuple[type[Exception], str, int], ...] = (
    (native.ModelRateLimitError, "refused the request because of its rate limit", 429),
    (native.ModelQuotaExceededError, "refused the request: the account's quota is used up", 402),
    (native.ModelOverloadedError, "is overloaded", 503),
    (native.ModelUnavailableError, "is not available at the moment", 503),
    (native.ModelServerError, "failed with an error of its own", 502),
    (native.ModelRequestTimeout, "did not answer in time", 504),
    (native.ModelTimeoutError, "did not answer in time", 504),
    (native.ModelConnectionError, "cannot be reached, or the connection to it broke", 502),
    (native.ModelAuthenticationError, "refused the application's credentials", 502),
    (native.ModelNotFoundError, "is not known to its provider", 502),
    (native.ModelContextWindowExceededError, "cannot take a conversation of this length", 413),
    (native.ModelRequestRejectedError, "refused the request", 422),
    (native.ModelAPIError, "answered with an error", 502),
)
_RUN: tuple[tuple[type[Exception], str, int], ...] = (
    (native.RunTimedOut, "The run took longer than it may.", 504),
    (native.UsageLimitExceeded, "The run would use more than it may: {}.", 422),
    (native.ContentFilterError, "The model's provider withheld the answer.", 422),
    (native.UnexpectedModelBehavior, "The model's answer cannot be used: {}.", 502),
    (native.UserError, "The agent cannot run: {}.", 500),
)


def to_run_failure(error: Exception, agent: str) -> Failure:
    """``error`` as the event that ends a run; the traceback goes to the log only."""
    told = to_failure(error, agent)
    message, kind, status = _said(error)
    return Failure(message=message or told.message, kind=kind or told.kind, status=status)


def _said(error: Exception) -> tuple[str, str, int]:
    """Message, kind and status; empty where the error's own will do."""
    if isinstance(error, native.FallbackExceptionGroup):
        said = [_said(each) for each in error.exceptions]
        return " ".join(message for message, _, _ in said), *said[-1][1:]
    if isinstance(error, native.ModelAPIError):
        return _of_model(error)
    if isinstance(error, MastraError):
        return error.message, type(error).__name__, 500
    message = error.message if isinstance(error, native.AgentRunError | native.UserError) else ""
    for kind, words, status in _RUN:
        if isinstance(error, kind):
            said_once = message.partition(". Consider")[0].partition("\n")[0].rstrip(".")
            return words.format(said_once), kind.__name__, status
    return "", "", 500


def _of_model(error: native.ModelAPIError) -> tuple[str, str, int]:
    words, status = next(
        (words, status) for kind, words, status in _MODEL if isinstance(error, kind)
    )
    message = f"The model {error.model_name!r} {words}.{_later(error.retry_after)}"
    return message, _kind(error), status


def _later(seconds: float | None) -> str:
    return f" It may be asked again after {seconds:g} s." if seconds else ""


def _kind(error: Exception) -> str:
    """The category's name; a class made of two says only that it is HTTP."""
    names: list[Any] = [kind.__name__ for kind, _, _ in _MODEL if isinstance(error, kind)]
    return str(names[0])
