"""Events that must come in time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from mastra_core.errors import RequestError

__all__ = ("RunTimedOut", "iter_with_timeout")

T = TypeVar("T")


class RunTimedOut(RequestError):
    """A run took longer than it may."""

    status = 504


async def iter_with_timeout(events: AsyncIterator[T], seconds: float | None) -> AsyncGenerator[T]:
    """``events``, all of which must come within ``seconds``.

    What reads them may take its time: the clock is around each event alone.

    :raises RunTimedOut: when they do not.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    while True:
        try:
            async with asyncio.timeout_at(end):
                event = await anext(events)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if end is None or loop.time() < end:
                raise
            raise RunTimedOut("The run took longer than it may.") from None
        yield event
