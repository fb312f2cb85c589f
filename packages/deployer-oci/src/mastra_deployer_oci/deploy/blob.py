"""A blob to push: a layer or a config."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import IO

__all__ = ("Blob",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blob:
    """A blob to push, in a file or in memory.

    :param name: name of the blob, for messages.
    :param digest: digest of the blob.
    :param size: size in bytes.
    :param fetch_file: a function that returns the blob's file, and downloads it if necessary;
        called for each chunk.
    :param content: content of the blob, if there is no ``fetch_file``.
    :param mount: another repository of the registry that has the blob; empty if none is known.
    """

    name: str
    digest: str
    size: int
    fetch_file: Callable[[], Path] | None = None
    content: bytes = b""
    mount: str = ""

    def open(self) -> IO[bytes]:
        """Open the content of the blob; the caller must close it."""
        return self.fetch_file().open("rb") if self.fetch_file else io.BytesIO(self.content)

    def read(self, offset: int, size: int) -> bytes:
        """Read a part of the blob.

        :param offset: offset of the first byte.
        :param size: number of bytes to read at most.
        :returns: the bytes.
        """
        with self.open() as file:
            file.seek(offset)
            return file.read(size)
