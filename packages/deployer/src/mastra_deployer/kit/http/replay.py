"""Decide whether a request's body can be sent again, and find the position to start from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, cast

import httpx

__all__ = ("ReplayableBody",)


class ReplayableBody:
    """The body of one request.

    Bytes, forms and repeatable iterables can be sent again. A file can be sent again from its first
    position. A generator cannot be sent again.

    :param request: the request before its first attempt.
    """

    def __init__(self, request: httpx.Request) -> None:
        self._file: IO[bytes] | None = None
        self._start = 0
        self.is_replayable = self._detect(request.stream)

    def rewind(self) -> None:
        """Return to the start of the body, before an attempt."""
        if self._file is not None:
            self._file.seek(self._start)

    def _detect(self, stream: Any) -> bool:
        if isinstance(stream, httpx.ByteStream) or hasattr(stream, "fields"):  # bytes; a form
            return True
        content = getattr(stream, "_stream", stream)  # httpx wraps the iterable it is given
        if getattr(content, "seekable", bool)():
            self._file = cast("IO[bytes]", content)
            self._start = self._file.tell()
            return True
        return not isinstance(content, Iterator)
