"""A request's head that is too large, or does not end."""

import contextlib
import socket
import time

import pytest

APP = """
from mastra_server.http import head_limit
from tests.server.sample_app import sample
head_limit.HEAD_TIMEOUT = 0.5
mastra = sample()
"""
HEAD = b"GET /health HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture
def connect(process):
    _, port = process(APP)
    made = []

    def start():
        made.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        return made[-1]

    yield start
    for each in made:
        each.close()


def answer(connection):
    """The status line, once the whole answer is there."""
    seen = b""
    with contextlib.suppress(ConnectionError):
        while b"\r\n\r\n" not in seen or (b" 200 " in seen and not seen.endswith(b"}")):
            piece = connection.recv(300)
            if not piece:
                break
            seen += piece
    return seen.partition(b"\r\n")[0]


def test_large_heads(connect):
    fine = connect()
    fine.sendall(HEAD + b"x: " + b"y" * 30_000 + b"\r\n\r\n")
    assert answer(fine) == b"HTTP/1.1 200 OK"
    fine.sendall(HEAD + b"\r\n")
    assert answer(fine) == b"HTTP/1.1 200 OK"
    large = connect()
    with pytest.raises(ConnectionError):
        large.sendall(HEAD + (b"x: " + b"y" * 30_000 + b"\r\n") * 200)
    line = connect()
    line.sendall(b"GET /" + b"y" * 60_000)
    time.sleep(0.1)
    line.sendall(b"y" * 60_000)
    assert answer(line) in (b"HTTP/1.1 431 Request Header Fields Too Large", b"")


def test_heads_that_do_not_end(connect):
    silent, slow, second = connect(), connect(), connect()
    slow.sendall(HEAD)
    second.sendall(HEAD + b"\r\n")
    assert answer(second) == b"HTTP/1.1 200 OK"
    second.sendall(HEAD)
    began = time.monotonic()
    for each in (silent, slow, second):
        assert answer(each) == b"HTTP/1.1 408 Request Timeout"
    assert time.monotonic() - began < 3


def test_a_large_body_is_no_head(connect):
    body = b'{"data": {"a": 1, "b": 2, "c": "' + b"x" * 300_000 + b'"}}'
    for _ in range(2):
        connection = connect()
        head = b"POST /api/tools/whoami/execute HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
        connection.sendall(head % len(body) + body[:1000])
        time.sleep(0.6)
        connection.sendall(body[1000:])
        assert answer(connection) == b"HTTP/1.1 200 OK"
