"""A signal that one task waits for, and that other tasks set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mastra_core.request_scope.mode import get_hold

if TYPE_CHECKING:
    import asyncio

__all__ = ("Signal", "create_signal")


class Signal(Protocol):
    """The methods of ``asyncio.Event`` that also work across requests; only one task may wait."""

    def is_set(self) -> bool:
        """Return whether the signal is set."""

    def set(self) -> None:
        """Set the signal, and wake the task that waits."""

    def clear(self) -> None:
        """Reset the signal."""

    async def wait(self) -> Any:
        """Wait until the signal is set."""


class _LoopSignal:
    """A signal within one event loop; it takes half the processor time of an ``asyncio.Event``."""

    __slots__ = ("_future", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._future: asyncio.Future[None] | None = None  # of the task that waits

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> None:
        if self._is_set:
            return
        import asyncio  # `from asyncio import` would take three times as long

        self._future = asyncio.get_running_loop().create_future()
        try:
            await self._future
        finally:
            self._future = None


def create_signal() -> Signal:
    """Create a signal for one event loop, or a signal that other requests can also set."""
    if get_hold() is None:
        return _LoopSignal()
    from mastra_core.request_scope.polled_signal import PolledSignal

    return PolledSignal()
