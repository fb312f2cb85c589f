"""Choose at the start whether timers, tasks and futures belong to the request that creates them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mastra_core.errors import ConfigError

__all__ = ("disable_request_scope", "enable_request_scope", "get_hold", "is_request_scoped")

Hold = Callable[[Awaitable[Any]], object]

_hold: Hold | None = None


def enable_request_scope(hold: Hold) -> None:
    """Keep every timer, task and future within the request that created it.

    The entry module of a platform that limits tasks to a request calls this function before it
    imports the application.

    :param hold: keeps the current request alive until an awaitable ends, as ``waitUntil`` of
        Cloudflare Workers does.
    :raises ConfigError: when ``hold`` is not a function.
    """
    global _hold  # noqa: PLW0603  # chosen once in a process
    if not callable(hold):
        raise ConfigError(
            f"enable_request_scope() got {hold!r}, which is not a function.",
            "Pass a function that keeps a request alive, such as `workers.wait_until`.",
        )
    _hold = hold


def disable_request_scope() -> None:
    """Make all requests share one event loop again; only tests call this function."""
    global _hold  # noqa: PLW0603  # as above
    _hold = None


def is_request_scoped() -> bool:
    """Return whether timers, tasks and futures belong to the request that created them."""
    return _hold is not None


def get_hold() -> Hold | None:
    """Return the function that keeps a request alive; ``None`` if the requests share a loop."""
    return _hold
