"""A WebSocket on a connection whose request was not read."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any

from websockets.frames import Opcode
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol


class FakeWebSocket:
    """The server's end of a WebSocket, which exchanges JSON messages.

    :param connection: the connection.
    :param head: the bytes of the handshake's request.
    :param subprotocols: the subprotocols that the server accepts.
    """

    def __init__(
        self, connection: socket.socket, head: bytes, subprotocols: Sequence[str] = ()
    ) -> None:
        self._connection = connection
        self._protocol = ServerProtocol(subprotocols=[*map(Subprotocol, subprotocols)] or None)
        self._protocol.receive_data(head)
        self._protocol.send_response(self._protocol.accept(self._protocol.events_received()[0]))
        self._flush()

    def receive(self) -> Any:
        """Return the next message."""
        while True:
            for event in self._protocol.events_received():
                if event.opcode is Opcode.TEXT:
                    return json.loads(event.data)
            self._protocol.receive_data(self._connection.recv(65536))

    def send(self, message: Any) -> None:
        self._protocol.send_text(json.dumps(message).encode())
        self._flush()

    def close(self) -> None:
        self._protocol.send_close(1000)
        self._flush()

    def _flush(self) -> None:
        for content in self._protocol.data_to_send():
            if content:
                self._connection.sendall(content)
