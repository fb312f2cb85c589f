"""A signal that other requests can set, because the task that waits for it polls its state."""

from __future__ import annotations

import asyncio
import contextlib

from mastra_core.request_scope.request_lifetime import RequestLifetime, get_current_request

__all__ = ("PolledSignal",)

_MIN_INTERVAL = 0.005  # seconds between the first two polls
_MAX_INTERVAL = 0.1


class PolledSignal:
    """A signal that wakes a task of the same request at once; tasks of other requests poll it.

    The intervals between two polls become longer, because each poll takes processor time.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._event: asyncio.Event | None = None  # of the task that waits
        self._waiting_request: RequestLifetime | None = None

    def is_set(self) -> bool:
        """Return whether the signal is set."""
        return self._is_set

    def set(self) -> None:
        """Set the signal; wake the task that waits, if it belongs to the current request."""
        self._is_set = True
        if self._event is not None and self._waiting_request is get_current_request():
            self._event.set()

    def clear(self) -> None:
        """Reset the signal."""
        self._is_set = False

    async def wait(self) -> None:
        """Wait until the signal is set."""
        if self._is_set:
            return
        self._event, self._waiting_request = asyncio.Event(), get_current_request()
        interval = _MIN_INTERVAL
        try:
            while not self._is_set:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(interval):
                        await self._event.wait()
                interval = min(interval * 2, _MAX_INTERVAL)
        finally:
            self._event = self._waiting_request = None
