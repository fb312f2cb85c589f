"""What uvicorn leaves to whatever is before it: limits on the head of a request, and requests that
arrive while the server stops.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ("LimitedHead",)

MOST_BYTES = 65_536  # of request line and headers, and what comes along in one read
MOST_SECONDS = 30.0  # until they are complete
LINGER = 0.25  # seconds that an idle connection outlives the decision to stop
_TOO_LARGE = b"431 Request Header Fields Too Large"
_TOO_SLOW = b"408 Request Timeout"


class LimitedHead(HttpToolsProtocol):
    """uvicorn's protocol; a head that does not end costs neither memory nor a connection."""

    _size = 0
    _in_head = True
    _leaving = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Somebody connects, and may never say anything."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._forget()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Another head begins."""
        self._in_head, self._size = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole; the last one of a connection where the server is to stop."""
        self._in_head = False
        super().on_headers_complete()
        if self._leaving and not self._idle():
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """The server is to stop: a request that is on its way is still answered."""
        self._leaving = True
        if self._idle():
            self.loop.call_later(LINGER, self._leave)
        else:
            self.cycle.keep_alive = False

    def _leave(self) -> None:
        if self._idle() and not self.transport.is_closing():
            self.transport.close()

    def _idle(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, whatever its type says
        return cycle is None or cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Count what is read while no head is complete; most requests come in one piece."""
        super().data_received(data)
        if not self._in_head:
            self._forget()
            return
        self._size += len(data)
        if self._size > MOST_BYTES:
            self._refuse(_TOO_LARGE)
        elif self._timer is None:
            self._expect()

    def _expect(self) -> None:
        self._timer = self.loop.call_later(MOST_SECONDS, self._refuse, _TOO_SLOW)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: bytes) -> None:
        self._forget()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %b\r\nconnection: close\r\n\r\n" % status)
            self.transport.close()
