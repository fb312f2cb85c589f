"""A signal that one task waits for, and that other tasks set."""

from __future__ import annotations

from typing import Any, Protocol

from mastra_core.request_scope.mode import is_request_scoped

__all__ = ("Signal", "create_signal")


class Signal(Protocol):
    """The part of ``asyncio.Event`` that works across requests too. Only one task may wait."""

    def is_set(self) -> bool:
        """Return whether the signal is set."""

    def set(self) -> None:
        """Set the signal, and wake the task that waits."""

    def clear(self) -> None:
        """Reset the signal."""

    async def wait(self) -> Any:
        """Wait until the signal is set."""


def create_signal() -> Signal:
    """Create a signal: an ``asyncio.Event``, or one that other requests can set too."""
    if is_request_scoped():
        from mastra_core.request_scope.polled_signal import PolledSignal

        return PolledSignal()
    from asyncio import Event

    return Event()
