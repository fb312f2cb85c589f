"""Convert exceptions to the last event of a run, with a message that a caller may see.

A provider's response may contain keys, addresses and accounts, so it is written only to the log.
The SDKs of the providers have no base class in common, but their errors use the same names and HTTP
statuses.
"""

from __future__ import annotations

from mastra_core.agents.events import Failure
from mastra_core.errors import AgentFailed, RequestError
from mastra_core.logger import get_logger
from mastra_core.redaction import safe_message

__all__ = (
    "to_application_failure",
    "to_failure",
    "to_provider_failure",
    "to_request_failure",
)

_BY_STATUS = (
    (range(401, 404), "refused the application's credentials", 502),
    (range(408, 409), "did not answer in time", 504),
    (range(413, 414), "cannot process a conversation of this length", 413),
    (range(429, 430), "refused the request because of its rate limit", 429),
    (range(400, 500), "refused the request", 422),
    (range(504, 505), "did not answer in time", 504),
    (range(500, 600), "failed with a server error", 502),
)
_BY_NAME = {
    "APITimeoutError": ("did not answer in time", 504),
    "APIConnectionError": ("cannot be reached, or the connection to it broke", 502),
    "RemoteProtocolError": ("cannot be reached, or the connection to it broke", 502),
    "APIError": ("answered with an error", 502),
}


def to_failure(error: Exception, agent: str) -> Failure:
    """Convert an exception, and log its traceback.

    :param error: the exception.
    :param agent: id of the agent.
    """
    get_logger("mastra.agents").error("agent %r failed", agent, exc_info=error)
    return Failure(message=safe_message(error), kind=type(error).__name__)


def to_application_failure(error: Exception, agent: str) -> Failure:
    """Convert an exception of the application's code, which may run further agents.

    A mistake of the caller is not logged. The failure of another agent keeps its kind and status,
    and that agent has logged it.

    :param error: the exception.
    :param agent: id of the agent.
    """
    if isinstance(error, RequestError):
        return to_request_failure(error)
    if isinstance(error, AgentFailed):
        return Failure(message=error.message, kind=error.kind, status=error.status)
    return to_failure(error, agent)


def to_request_failure(error: RequestError) -> Failure:
    """Convert a mistake of the caller to the last event of a run; the mistake is not logged.

    :param error: the mistake.
    """
    return Failure(message=error.message, kind=type(error).__name__, status=error.status)


def to_provider_failure(error: Exception, agent: str) -> Failure:
    """Convert an error to the last event of a run; log the traceback.

    :param error: an exception of a framework or of a provider's SDK.
    :param agent: id of the agent.
    """
    if isinstance(error, RequestError):
        return to_request_failure(error)
    failure = to_failure(error, agent)
    description, status = _describe_error(error)
    if description:
        return Failure(
            message=f"The model's provider {description}.", kind=failure.kind, status=status
        )
    return failure


def _describe_error(error: Exception) -> tuple[str, int]:
    number = getattr(error, "status_code", None)
    if isinstance(number, int):
        for numbers, description, status in _BY_STATUS:
            if number in numbers:
                return description, status
    names = (cls.__name__ for cls in type(error).__mro__)
    return next((_BY_NAME[name] for name in names if name in _BY_NAME), ("", 500))
