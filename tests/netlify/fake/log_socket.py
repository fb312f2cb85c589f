"""The WebSocket of the live log: the first message chooses the function and authorizes."""

from __future__ import annotations

import socket

from tests.netlify.fake.state import Platform
from tests.platform_fakes.web_socket import FakeWebSocket


def serve_log(platform: Platform, connection: socket.socket, head: bytes, token: str) -> None:
    """Read the first message, and send all lines of the function that it names."""
    client = FakeWebSocket(connection, head)
    message = client.receive()
    if message["access_token"] == token:
        deploy = message["function_id"].partition("-")[0]
        for row in platform.logs:
            if row.deploy == deploy:
                client.send({"ts": row.milliseconds, "level": row.level, "message": row.message})
    client.close()
