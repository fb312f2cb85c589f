"""The WebSocket of the live log: the first message chooses the function and authorizes."""

from __future__ import annotations

import json
import socket

from websockets.frames import Opcode
from websockets.server import ServerProtocol

from tests.netlify.fake.state import Platform


class LogSocket:
    """One connection of a client that follows the log, on a socket whose request was not read."""

    def __init__(self, platform: Platform, connection: socket.socket) -> None:
        self._platform, self._connection = platform, connection
        self._protocol = ServerProtocol()

    def serve(self, head: bytes, token: str) -> None:
        """Answer the handshake, read the first message, and send all lines of that function."""
        self._protocol.receive_data(head)
        self._protocol.send_response(self._protocol.accept(self._protocol.events_received()[0]))
        self._flush()
        message = json.loads(self._receive())
        if message["access_token"] == token:
            self._send_lines(message["function_id"].partition("-")[0])
        self._protocol.send_close(1000)
        self._flush()

    def _send_lines(self, deploy: str) -> None:
        for row in self._platform.logs:
            if row.deploy == deploy:
                line = {"ts": row.milliseconds, "level": row.level, "message": row.message}
                self._protocol.send_text(json.dumps(line).encode())
        self._flush()

    def _receive(self) -> bytes:
        while True:
            for event in self._protocol.events_received():
                if event.opcode is Opcode.TEXT:
                    return bytes(event.data)
            self._protocol.receive_data(self._connection.recv(65536))

    def _flush(self) -> None:
        for content in self._protocol.data_to_send():
            if content:
                self._connection.sendall(content)
