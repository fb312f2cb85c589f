"""Compress a stream to gzip, with the same bytes on all machines with the same zlib."""

from __future__ import annotations

import zlib
from collections.abc import Callable

__all__ = ("GzipWriter",)

# Without a name and a time; the system is always Unix.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00%c\x03"
_FLAGS = {1: 4, 9: 2}  # the flag of the header for the fastest and the best compression, by level


class GzipWriter:
    """Compresses the written content, and passes the compressed bytes to ``write``.

    :param write: receives the compressed bytes.
    :param level: the level of the compression, 1 to 9.
    """

    def __init__(self, write: Callable[[bytes], object], level: int = 6) -> None:
        self._write = write
        self._compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = self._size = 0
        write(_HEADER % _FLAGS.get(level, 0))

    def write(self, content: bytes) -> int:
        """Compress a piece of the content.

        :param content: the piece.
        :returns: the size of the piece in bytes.
        """
        self._crc = zlib.crc32(content, self._crc)
        self._size += len(content)
        self._forward(self._compressor.compress(content))
        return len(content)

    def flush(self) -> None:
        """Pass on all content so far; later content is compressed without references to it."""
        self._forward(self._compressor.flush(zlib.Z_FULL_FLUSH))

    def close(self) -> None:
        """End the stream; no content can be written afterwards."""
        self._forward(self._compressor.flush())
        self._write(
            self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")
        )

    def _forward(self, content: bytes) -> None:
        if content:
            self._write(content)
