"""Whether the body of a request can be sent a second time, and from where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, cast

import httpx

__all__ = ("Replay",)


class Replay:
    """The body of one request.

    Bytes, forms and whatever begins anew when it is iterated can be sent again; a file too, from
    where it stood; a generator cannot.
    """

    def __init__(self, request: httpx.Request) -> None:
        self._file: IO[bytes] | None = None
        self._start = 0
        self.is_possible = self._look(request.stream)

    def rewind(self) -> None:
        """Before each attempt."""
        if self._file is not None:
            self._file.seek(self._start)

    def _look(self, stream: Any) -> bool:
        if isinstance(stream, httpx.ByteStream) or hasattr(stream, "fields"):  # bytes; a form
            return True
        content = getattr(stream, "_stream", stream)  # httpx wraps what it is given to iterate
        if getattr(content, "seekable", bool)():
            self._file = cast("IO[bytes]", content)
            self._start = self._file.tell()
            return True
        return not isinstance(content, Iterator)
