"""The WebSocket of a tail: a message for each request of the Worker."""

from __future__ import annotations

import socket
import time
from typing import Any

from tests.cloudflare.fake.state import LogRow, Platform
from tests.platform_fakes.web_socket import FakeWebSocket

_SECONDS = 0.1  # until the fake ends the tail, as Cloudflare does after a time


def serve_tail(
    platform: Platform, connection: socket.socket, head: bytes, name: str, key: str
) -> None:
    """Read the first message, and send the rows since the tail began."""
    client = FakeWebSocket(connection, head, ["trace-v1"])
    assert client.receive() == {"debug": False}
    start = platform.workers[name].tails[key]
    time.sleep(_SECONDS)
    for row in platform.logs[start:]:
        if row.worker == name:
            client.send(_describe(row))
    client.close()


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
