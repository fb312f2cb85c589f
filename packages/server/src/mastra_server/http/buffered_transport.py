"""Join the writes of a connection, because each write is a call of the operating system."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ("BufferedTransport",)

_MAX_UNWRITTEN = 32 * 1024  # bytes that are kept; larger data would be slower to join than to write


class BufferedTransport:
    """A transport that writes once for each turn of the event loop.

    uvicorn writes the head of a response and each part of the body separately. For a small
    response, a write takes a tenth of the whole time, and a client may read the head and the body
    from two packets.

    :param transport: the transport of the connection, whose other methods stay available.
    :param loop: the event loop of the transport.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._unwritten: list[bytes] = []
        self._size = 0  # bytes of the unwritten data
        self._write = transport.write
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Keep the data until ``flush`` or the end of this turn of the event loop.

        :param data: the bytes to write.
        """
        self._size += len(data)
        if self._size > _MAX_UNWRITTEN:
            self.flush()
            self._write(data)
            return
        if not self._unwritten:
            self._loop.call_soon(self.flush)
        self._unwritten.append(data)

    def flush(self) -> None:
        """Write the data that was kept, unless the client has disconnected meanwhile."""
        self._size = 0
        if self._unwritten:
            data = b"".join(self._unwritten)
            self._unwritten.clear()
            if not self.is_closing():
                self._write(data)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the client has not received."""
        return self._size + self._transport.get_write_buffer_size()

    def close(self) -> None:
        """Close the connection after all data is written."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close the connection at once, without the data that was not written."""
        self._unwritten.clear()
        self._transport.abort()
