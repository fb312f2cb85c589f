"""Clients that read nothing, or very slowly: their connections and responses do not stay."""

import contextlib
import json
import socket
import time

import pytest

from tests.process_usage import read_resident_bytes

APP = """
from mastra_server.http import connections
from tests.server.sample_app import create_sample
connections.WRITE_TIMEOUT = 0.5
mastra = create_sample()
"""
LARGE = "x" * 1_000_000


@pytest.fixture
def connect(process):
    server_process, port = process(APP)
    opened = []

    def send(path, body):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", port))
        opened.append(connection)
        raw = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        connection.sendall(f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw)
        return connection

    send.process, send.port = server_process, port
    yield send
    for each in opened:
        each.close()


def read_to_end(connection, pause=0.0, size=65_536):
    """Read a response; return its bytes, and whether the connection was reset."""
    received = 0
    try:
        while piece := connection.recv(size):
            received += len(piece)
            time.sleep(pause)
    except ConnectionError:
        return received, True
    return received, False


@pytest.mark.parametrize("operation", ["generate", "stream"])
def test_connection_of_a_client_that_reads_nothing_is_closed(connect, operation):
    connection = connect(f"/api/agents/shout/{operation}", {"messages": LARGE})
    time.sleep(2.5)
    received, _ = read_to_end(connection)
    assert received < 5_000_000


@pytest.mark.full
def test_client_that_reads_slowly_gets_everything(connect):
    connection = connect("/api/agents/shout/generate", {"messages": "x" * 200_000})
    connection.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    received, reset = read_to_end(connection, pause=0.05)
    assert not reset
    assert received > 400_000


def test_memory_returns_after_an_attack(connect):
    before = read_resident_bytes(connect.process.pid)
    for _ in range(30):
        with contextlib.suppress(ConnectionError):
            connect("/api/agents/shout/generate", {"messages": LARGE})
    peak = read_resident_bytes(connect.process.pid)
    assert peak - before < 450_000_000  # 256 MiB of responses, their inputs and the allocator
    deadline = time.monotonic() + 20
    time.sleep(3)
    while read_resident_bytes(connect.process.pid) - before > 150_000_000:
        assert time.monotonic() < deadline
        time.sleep(0.5)
        connect("/api/agents/shout/generate", {"messages": "x"})
