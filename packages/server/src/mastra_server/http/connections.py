"""Extend uvicorn's HTTP protocol with limits, and close connections on shutdown.

The limits are for the connections of one client, the head of a request, and the time in which a
client reads a response. Trailers of a request are read and dropped. An offer to upgrade to another
protocol is ignored, also to WebSocket.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mastra_core.limits.shares import Shares
from mastra_server.http.callers import read_client_address

__all__ = ("CONNECTIONS", "LimitedConnection", "count_possible_connections")

MAX_HEAD_BYTES = 65_536  # for the target, the headers and the trailers of a request
HEAD_TIMEOUT = 30.0  # seconds until the head must be complete
WRITE_TIMEOUT = 30.0  # seconds in which a client must read MIN_PROGRESS bytes of a response
MIN_PROGRESS = 32 * 1024
IDLE_GRACE = 0.25  # seconds that an idle connection stays open after shutdown began
_OWN_FILES = 64  # files that the process needs beside its connections
_MAPPED = "::ffff:"  # before the IPv4 address of a client that is connected to an IPv6 socket
_FIELD_OVERHEAD = 4  # the bytes of ": " and the end of the line
_TOO_LARGE = b"431 Request Header Fields Too Large"
_TOO_SLOW = b"408 Request Timeout"


def count_possible_connections() -> int:
    """Return how many connections the process can open besides its own files."""
    try:
        import resource
    except ImportError:  # Windows, if the number is not limited
        return 65_536
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(min(files, 1_048_576) - _OWN_FILES, 16)


CONNECTIONS = Shares(count_possible_connections())


class _HeadTooLarge(Exception):
    """Stops the parser after the server has responded that the head is too large."""


class _RepeatedHost(Exception):
    """Stops the parser, so that uvicorn responds with a 400."""


class _DataAfterClose(Exception):
    """Stops the parser at data after the last request of a connection."""


class _RequestParser(httptools.HttpRequestParser):
    """Parses requests that offer an upgrade, such as to HTTP/2, as if they did not.

    httptools stops after the head of a request that offers an upgrade. Without this class, the body
    of the request would be lost. Java's client offers HTTP/2 with its first request.

    httptools also reads ``Connection: close`` in the trailers of a request, and would then ignore
    all later requests of the connection. A proxy that passes trailers on could have sent the
    trailers of one client, and sends the requests of others over the same connection.

    :param connection: the connection that receives the parsed requests.
    """

    def __init__(self, connection: LimitedConnection) -> None:
        self._connection = connection
        self._reset()

    def _reset(self) -> None:
        super().__init__(self._connection)
        # The connection itself ignores the data after the last request.
        self.set_dangerous_leniencies(lenient_keep_alive=True, lenient_data_after_close=True)

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # as uvicorn calls it
        """Parse received bytes.

        :param data: the bytes.
        :raises httptools.HttpParserError: when the bytes are no valid request.
        :raises httptools.HttpParserUpgrade: when the request asks for a tunnel.
        """
        while True:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if not self._connection.ignores_upgrade():
                    raise
                data = self._connection.build_plain_head() + data[upgrade.args[0] :]
                self._reset()  # a parser does not continue after an upgrade
            except httptools.HttpParserCallbackError as error:
                if not isinstance(error.__context__, _DataAfterClose):
                    raise
                return
            else:
                return


class LimitedConnection(HttpToolsProtocol):
    """Limit connections, heads of requests, and slow readers in uvicorn's HTTP protocol.

    Trailers after a chunked body count as part of the head, but do not become headers of the
    request. Otherwise, a client could use a trailer to replace a header that its proxy has set,
    such as the client's address or user.
    """

    _unparsed_size = 0  # bytes that were read since a head began or a part of a body ended
    _read_size = 0  # bytes of the present read
    _in_head = True
    _has_read_body = False
    _has_read_all = False  # whether the last request of the connection was read
    _header_count = 0  # headers of the current request, without trailers
    _shutting_down = False
    _timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _caller: str | None = None  # who the connection is counted for
    _unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start the timeout of the first head; refuse a client that has too many connections.

        :param transport: the transport of the new connection.
        """
        super().connection_made(transport)
        # No app serves WebSockets. uvicorn would handle them without any of these limits.
        self.ws_protocol_class = None
        self.parser = _RequestParser(self)
        if self.client is not None and self.client[0].startswith(_MAPPED):
            # An IPv4 client of an IPv6 socket: trusted proxies are listed by their IPv4 addresses.
            self.client = (self.client[0].removeprefix(_MAPPED), self.client[1])
        if not self._is_trusted_proxy():
            caller = read_client_address({"client": self.client})
            if not CONNECTIONS.try_acquire(caller):
                transport.abort()
                return
            self._caller = caller
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timeouts.

        :param exc: the reason, ``None`` for a regular end.
        """
        self._cancel_timer()
        self._cancel_write_timer()
        if self._caller is not None:
            CONNECTIONS.release(self._caller)
            self._caller = None
        super().connection_lost(exc)

    def _is_trusted_proxy(self) -> bool:
        """Return whether the peer is a proxy, whose connections belong to many clients.

        A process that is connected by a Unix socket has no address, and counts as a proxy.
        """
        trusted: Any = getattr(self.config.loaded_app, "trusted_hosts", ())
        return self.client is None or self.client[0] in trusted

    def pause_writing(self) -> None:
        """Start a timeout, because the client reads more slowly than the server writes."""
        super().pause_writing()
        self._start_write_timer()

    def resume_writing(self) -> None:
        """Cancel the timeout, because the client has read the data."""
        self._cancel_write_timer()
        super().resume_writing()

    def on_message_begin(self) -> None:
        """Start to count the bytes of the next head.

        :raises _DataAfterClose: after the last request of the connection.
        """
        if self._has_read_all:
            raise _DataAfterClose
        self._in_head, self._unparsed_size = True, 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Note that the received data contains a part of the body.

        :param body: the part.
        """
        self._has_read_body = True
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Stop counting the head's bytes; during shutdown, close the connection after this request.

        :raises _HeadTooLarge: when the head exceeds its limit.
        :raises _RepeatedHost: when the head has several ``Host`` headers. A proxy may have checked
            another ``Host`` header than the application would read.
        """
        # A head of one small read, as nearly all are, needs no exact count.
        if self._unparsed_size + self._read_size > MAX_HEAD_BYTES:
            self._check_fields()
        if [name for name, _ in self.headers].count(b"host") > 1:
            raise _RepeatedHost
        if self.parser.should_upgrade() and self.ignores_upgrade():
            return  # the head is parsed again
        super().on_headers_complete()
        self._in_head = False
        # uvicorn appends trailers to this list. The scope of the request keeps the list before.
        self.headers = self.headers.copy()
        self._header_count = len(self.headers)
        # The parser reads no further request after a tunnel. uvicorn 0.38 does not ask whether the
        # client closes the connection, and would respond to what follows instead.
        is_last = self.parser.should_upgrade() or not self.parser.should_keep_alive()
        if is_last or (self._shutting_down and not self._is_idle()):
            self._close_after_response()

    def on_message_complete(self) -> None:
        """Count the trailers that arrived together with the end of the body.

        :raises _HeadTooLarge: when the head and the trailers exceed their limit.
        """
        if self.parser.should_upgrade() and self.ignores_upgrade():
            return
        if len(self.headers) > self._header_count:
            self._check_fields()
        self._has_read_all = not self.cycle.keep_alive
        super().on_message_complete()

    def ignores_upgrade(self) -> bool:
        """Return whether the request, which offers an upgrade, is served as a plain request."""
        return self.parser.get_method() != b"CONNECT"

    def build_plain_head(self) -> bytes:
        """Build the head of the parsed request without its offer to upgrade."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
        return b"\r\n".join((*lines, b"", b""))

    def shutdown(self) -> None:
        """Begin to shut down; an active request still gets its response."""
        self._shutting_down = True
        if self._is_idle():
            self.loop.call_later(IDLE_GRACE, self._close_if_idle)
        else:
            self._close_after_response()

    def _close_after_response(self) -> None:
        """Close the connection after the current response, and announce that to the client.

        uvicorn announces it since version 0.53. A client that does not know about it sends its next
        request on the closing connection, and receives no response.
        """
        self.cycle.keep_alive = False
        self.cycle.default_headers = [*self.cycle.default_headers, (b"connection", b"close")]

    def _close_if_idle(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()

    def _continue_idle_timer(self, timer: asyncio.TimerHandle) -> None:
        """Continue the timeout of an idle connection, unless a request has begun."""
        if self._in_head or not self._is_idle():
            timer.cancel()
        else:
            self.timeout_keep_alive_task = timer

    def _is_idle(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, in spite of its type
        return cycle is None or cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Count received bytes that do not belong to a body.

        :param data: the bytes that were read; most requests arrive in one piece.
        """
        if self._has_read_all:
            return
        self._has_read_body, self._read_size = False, len(data)
        # uvicorn would cancel this timeout, even if the data begins no request.
        idle_timer, self.timeout_keep_alive_task = self.timeout_keep_alive_task, None
        super().data_received(data)
        if idle_timer is not None:
            self._continue_idle_timer(idle_timer)
        self._unparsed_size = 0 if self._has_read_body else self._unparsed_size + len(data)
        if not self._in_head:
            self._cancel_timer()
        elif self._timer is None:
            self._start_timer()
        if self._unparsed_size > MAX_HEAD_BYTES:
            self._reject(_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Respond to an invalid request, unless the server has responded to it already.

        :param msg: the body of the response.
        """
        if self.transport.is_closing():
            return
        if self._may_respond():
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _may_respond(self) -> bool:
        """Return whether a response would belong to the request that is being read.

        A second response to a request could reach another client of the same proxy.
        """
        return self._in_head if self._is_idle() else not self.cycle.response_started

    def _check_fields(self) -> None:
        sizes = (len(name) + len(value) + _FIELD_OVERHEAD for name, value in self.headers)
        if len(self.url) + sum(sizes) > MAX_HEAD_BYTES:
            self._reject(_TOO_LARGE)
            raise _HeadTooLarge

    def _start_write_timer(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(WRITE_TIMEOUT, self._check_reader)

    def _cancel_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _check_reader(self) -> None:
        """Drop the connection if the client has read too little."""
        if self._unsent - self.transport.get_write_buffer_size() < MIN_PROGRESS:
            self.transport.abort()
        else:
            self._start_write_timer()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEAD_TIMEOUT, self._reject, _TOO_SLOW)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _reject(self, status: bytes) -> None:
        self._cancel_timer()
        if self.transport.is_closing():
            return
        if self._may_respond():
            self.transport.write(b"HTTP/1.1 %b\r\nconnection: close\r\n\r\n" % status)
        self.transport.close()
