"""What broke a run of another framework, in a sentence that is safe to show to whoever called.

What a provider answers is not: it may quote keys, addresses and accounts. It goes to the log.
The SDKs of the providers have no class in common, but their errors are named and numbered alike.
"""

from __future__ import annotations

from mastra_core.agents.events import Failure
from mastra_core.agents.function import to_failure
from mastra_core.errors import RequestError

__all__ = ("to_provider_failure",)

_BY_STATUS = (
    (range(401, 404), "refused the application's credentials", 502),
    (range(408, 409), "did not answer in time", 504),
    (range(413, 414), "cannot take a conversation of this length", 413),
    (range(429, 430), "refused the request because of its rate limit", 429),
    (range(400, 500), "refused the request", 422),
    (range(504, 505), "did not answer in time", 504),
    (range(500, 600), "failed with an error of its own", 502),
)
_BY_NAME = {
    "APITimeoutError": ("did not answer in time", 504),
    "APIConnectionError": ("cannot be reached, or the connection to it broke", 502),
    "RemoteProtocolError": ("cannot be reached, or the connection to it broke", 502),
    "APIError": ("answered with an error", 502),
}


def to_provider_failure(error: Exception, agent: str) -> Failure:
    """``error`` as the event that ends a run; the traceback goes to the log only."""
    if isinstance(error, RequestError):
        return Failure(message=error.message, kind=type(error).__name__, status=error.status)
    told = to_failure(error, agent)
    words, status = _words(error)
    if words:
        return Failure(message=f"The model's provider {words}.", kind=told.kind, status=status)
    return told


def _words(error: Exception) -> tuple[str, int]:
    number = getattr(error, "status_code", None)
    if isinstance(number, int):
        for numbers, words, status in _BY_STATUS:
            if number in numbers:
                return words, status
    names = (cls.__name__ for cls in type(error).__mro__)
    return next((_BY_NAME[name] for name in names if name in _BY_NAME), ("", 500))
