"""Describe errors of pydantic-ai in sentences that a caller may see.

A provider's response may contain keys, addresses and accounts, so only the log gets it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic_ai import exceptions as native

from mastra_core.agents.deadline import RunTimedOut
from mastra_core.agents.events import AgentEvent, Failure, Finish, StepFinish
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.run_failures import to_failure
from mastra_core.errors import ConfigError, MastraError

__all__ = ("build_failure_events", "to_run_failure")

# The first class that matches is used; the status is that of the HTTP response.
_MODEL: tuple[tuple[type[Exception], str, int], ...] = (
    (native.ModelRateLimitError, "refused the request because of its rate limit", 429),
    (
        native.ModelQuotaExceededError,
        "refused the request, because the account's quota is used up",
        402,
    ),
    (native.ModelOverloadedError, "is overloaded", 503),
    (native.ModelUnavailableError, "is not available at the moment", 503),
    (native.ModelServerError, "failed with a server error", 502),
    (native.ModelRequestTimeout, "did not answer in time", 504),
    (native.ModelTimeoutError, "did not answer in time", 504),
    (native.ModelConnectionError, "cannot be reached, or the connection to it broke", 502),
    (native.ModelAuthenticationError, "refused the application's credentials", 502),
    (native.ModelNotFoundError, "is unknown to its provider", 502),
    (native.ModelContextWindowExceededError, "cannot process a conversation of this length", 413),
    (native.ModelRequestRejectedError, "refused the request", 422),
    (native.ModelAPIError, "answered with an error", 502),
)
_UNUSABLE = "The model's answer cannot be used: {}."
# Part of the error message when the model may not correct its answer again; pydantic-ai has no
# class for this error. Its status is no 5xx: clients would repeat the request, and pay each time.
_NO_RETRIES_LEFT = "xceeded max"
_RUN: tuple[tuple[type[Exception], str, int], ...] = (
    (native.RunTimedOut, "The run took longer than its timeout.", 504),
    (native.UsageLimitExceeded, "The run would exceed a usage limit: {}.", 422),
    (native.ContentFilterError, "The model's provider withheld the answer.", 422),
    (native.OutputTokenLimitExceeded, _UNUSABLE, 422),
    (native.UnexpectedModelBehavior, _UNUSABLE, 502),
    (native.UserError, "The agent cannot run: {}.", 500),
)


def to_run_failure(error: Exception, agent: str) -> Failure:
    """Convert an error to the last event of a run; log the traceback.

    :param error: the exception.
    :param agent: id of the agent.
    """
    failure = to_failure(error, agent)
    message, kind, status = _describe_error(error)
    return Failure(message=message or failure.message, kind=kind or failure.kind, status=status)


def build_failure_events(error: Exception, run_input: AgentInput, agent: str) -> list[AgentEvent]:
    """Build the last events of a failed run, with the caller's fallback answer if any.

    :param error: the exception.
    :param run_input: the input of the run.
    :param agent: id of the agent.
    """
    failure = to_run_failure(error, agent)
    fallback = run_input.fallback
    if fallback is msgspec.UNSET or not isinstance(error, native.UnexpectedModelBehavior):
        return [failure]
    return [StepFinish(), Finish(object=fallback, is_fallback=fallback is not None)]


def _describe_error(error: Exception) -> tuple[str, str, int]:
    """Return the message, kind and status; empty values select the defaults of ``to_failure``."""
    if isinstance(error, native.FallbackExceptionGroup):
        descriptions = [_describe_error(each) for each in error.exceptions]
        return " ".join(message for message, _, _ in descriptions), *descriptions[-1][1:]
    if isinstance(error, native.ModelAPIError):
        return _describe_model_error(error)
    if isinstance(error, ConfigError):  # the hint names the package to install, for example
        return f"{error.message} {error.hint}".strip(), type(error).__name__, 500
    if isinstance(error, RunTimedOut):
        return error.message, type(error).__name__, error.status
    if isinstance(error, MastraError):
        return error.message, type(error).__name__, 500
    message = error.message if isinstance(error, native.AgentRunError | native.UserError) else ""
    for kind, words, status in _RUN:
        if isinstance(error, kind):
            reason = message.partition(". Consider")[0].partition("\n")[0].rstrip(".")
            is_final = _NO_RETRIES_LEFT in message
            return words.format(reason), kind.__name__, 422 if is_final else status
    return "", "", 500


def _describe_model_error(error: native.ModelAPIError) -> tuple[str, str, int]:
    words, status = next(
        (words, status) for kind, words, status in _MODEL if isinstance(error, kind)
    )
    retry = _format_retry_after(error.retry_after)
    return f"The model {error.model_name!r} {words}.{retry}", _get_kind(error), status


def _format_retry_after(seconds: float | None) -> str:
    return f" Try again after {seconds:g} s." if seconds else ""


def _get_kind(error: Exception) -> str:
    """Return the name of the error's category, not of its class.

    If an error belongs to two categories, the name of the HTTP category is returned.
    """
    names: list[Any] = [kind.__name__ for kind, _, _ in _MODEL if isinstance(error, kind)]
    return str(names[0])
