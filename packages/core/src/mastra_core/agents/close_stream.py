"""Close a stream of events when its reader stops."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

__all__ = ("close_at_end",)

T = TypeVar("T")


@asynccontextmanager
async def close_at_end(stream: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T]]:
    """Close a stream at the end of a block, if the stream has a method ``aclose``.

    If a reader stops early and does not close a generator, the event loop closes the generator
    later, in another task and context. Agents of users may return any iterator, so
    ``contextlib.aclosing`` does not fit.

    :param stream: a generator, or another iterator.
    """
    try:
        yield stream
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
