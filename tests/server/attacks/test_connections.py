"""One client with many connections: it gets no more, and others are served."""

import contextlib
import http.client
import socket

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from mastra_server.http.connections import count_possible_connections

APP = """
from mastra_core.limits.shares import Shares
from mastra_server.http import connections
from tests.server.sample_app import create_sample
connections.CONNECTIONS = Shares(20)

mastra = create_sample(server={"trusted_proxies": ["127.0.0.3"]})
"""


@pytest.fixture
def port(process):
    return process(APP)[1]


def request_health(port, address):
    """Ask for `/health` from an address of this machine; return the connection and the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, 10, (address, 0))
    connection.request("GET", "/health")
    response = connection.getresponse()
    response.read()
    return connection, response.status


def test_idle_connections_of_one_client_leave_room_for_others(port):
    with contextlib.ExitStack() as stack:
        opened = []
        with contextlib.suppress(ConnectionError):
            while len(opened) < 40:
                opened.append(request_health(port, "127.0.0.1"))
        for connection, _ in opened:
            stack.callback(connection.close)
        assert [status for _, status in opened] == [200] * 10
        other, status = request_health(port, "127.0.0.2")
        stack.callback(other.close)
        assert status == 200
    closed, status = request_health(port, "127.0.0.1")
    closed.close()
    assert status == 200


def test_connections_of_a_trusted_proxy_are_not_counted(port):
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            connection, status = request_health(port, "127.0.0.3")
            stack.callback(connection.close)
            assert status == 200


def test_connections_without_a_request(port):
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        other, status = request_health(port, "127.0.0.2")
        stack.callback(other.close)
        assert status == 200


def test_refused_websockets_are_ended(port):
    for _ in range(30):
        with pytest.raises(InvalidStatus):
            connect(f"ws://127.0.0.1:{port}/socket", proxy=None, open_timeout=10)
    connection, status = request_health(port, "127.0.0.1")
    connection.close()
    assert status == 200


@pytest.mark.parametrize("count", [0, 400])
def test_a_websocket_is_answered_as_a_plain_request(port, count):
    """uvicorn answers a WebSocket with more than 128 headers never, and waits without a timeout."""
    lines = [
        *("GET /health HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket"),
        *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        *(f"X-{number}: y" for number in range(count)),
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_number_of_possible_connections():
    assert 16 <= count_possible_connections() <= 1_048_576
