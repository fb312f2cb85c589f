"""The WebSocket of a tail: a message for each request of the Worker."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from websockets.frames import Opcode
from websockets.server import ServerProtocol

from tests.cloudflare.fake.state import LogRow, Platform

_SECONDS = 0.1  # until the fake ends the tail, as Cloudflare does after a time


class TailSocket:
    """One connection, on a socket whose request was not read."""

    def __init__(self, platform: Platform, connection: socket.socket) -> None:
        self._platform, self._connection = platform, connection
        self._protocol = ServerProtocol(subprotocols=["trace-v1"])

    def serve(self, head: bytes, name: str, key: str) -> None:
        """Answer the handshake, read the first message, and send the rows since the tail began."""
        self._protocol.receive_data(head)
        self._protocol.send_response(self._protocol.accept(self._protocol.events_received()[0]))
        self._flush()
        assert json.loads(self._receive()) == {"debug": False}
        start = self._platform.workers[name].tails[key]
        time.sleep(_SECONDS)
        for row in self._platform.logs[start:]:
            if row.worker == name:
                self._protocol.send_text(json.dumps(_describe(row)).encode())
        self._protocol.send_close(1000)
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


def _describe(row: LogRow) -> dict[str, Any]:
    line = {"message": [row.message], "level": row.level, "timestamp": row.milliseconds}
    failure = {"name": "TypeError", "message": row.message, "timestamp": row.milliseconds}
    return {
        "outcome": row.outcome,
        "scriptName": row.worker,
        "scriptVersion": {"id": row.version},
        "logs": [] if row.is_exception else [line],
        "exceptions": [failure] if row.is_exception else [],
        "eventTimestamp": row.milliseconds,
        "event": {"request": {"method": "GET", "url": "https://shop.acme.workers.dev/"}},
    }
