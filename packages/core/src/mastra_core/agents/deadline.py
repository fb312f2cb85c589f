"""A deadline for a stream of events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from mastra_core.agents.close_stream import close_at_end
from mastra_core.errors import RequestError

__all__ = ("RunTimedOut", "iter_with_timeout")

T = TypeVar("T")


class RunTimedOut(RequestError):
    """A run exceeded its timeout.

    :param message: one sentence that describes the error.
    :param hint: the cure; empty if there is none.
    """

    status = 504


async def iter_with_timeout(events: AsyncIterator[T], seconds: float | None) -> AsyncGenerator[T]:
    """Yield the events of a stream; raise an error when its time is over.

    The timeout interrupts only the wait for an event, never the reader of the events. The stream is
    closed when its time is over, or when the reader stops.

    :param events: the stream.
    :param seconds: the timeout; ``None`` for no timeout.
    :raises RunTimedOut: when the time is over.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    async with close_at_end(events):
        while True:
            try:
                async with asyncio.timeout_at(end) as timeout:
                    event = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError:
                # The clock must not decide: a timer of uvloop may end a millisecond too early.
                if not timeout.expired():
                    raise
                raise RunTimedOut(f"The run took longer than {seconds:g} s.") from None
            yield event
