"""Read the pieces of a model's stream without a lock for each piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pydantic_ai.models import StreamedResponse

__all__ = ("unlock_stream",)

_PIECES = "_response"  # pydantic-ai's name of the pieces in the streams of its models
_ITERATOR = "_source_iter"  # pydantic-ai's name of the iterator that has a lock


def unlock_stream(stream: StreamedResponse) -> None:
    """Let a stream read its pieces without the lock of pydantic-ai.

    pydantic-ai takes the lock for each piece, so that one task may close a stream that another task
    reads. The lock costs about as much time as decoding a piece, and lets other tasks run in
    between. A stream that has no lock of pydantic-ai is left unchanged.

    :param stream: an unread stream; the task that reads it must also close it.
    """
    pieces = getattr(stream, _PIECES, None)
    if pieces is not None and getattr(pieces, _ITERATOR, None) is not None:
        setattr(stream, _PIECES, _UnlockedPieces(pieces))


class _UnlockedPieces:
    """Iterates over the pieces of a stream; pydantic-ai's object has read the first one already.

    :param pieces: pydantic-ai's object.
    """

    def __init__(self, pieces: Any) -> None:
        self._pieces = pieces
        self._iterator: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._iterator is None:
            first = await anext(self._pieces)
            self._iterator = getattr(self._pieces, _ITERATOR)
            return first
        return await anext(self._iterator)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pieces, name)
