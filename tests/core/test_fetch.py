"""Test requests without a thread or connection that several requests share."""

import asyncio
import socket
import threading
import time

import pytest

from mastra_core.fetch import fetch

HEAD = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n"


def fetch_reply(reply, **options):
    """Fetch from a server that sends these bytes and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            return asyncio.run(fetch(url, **options))
        finally:
            thread.join()


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found"])
def test_every_status_is_a_response(status):
    response = fetch_reply(HEAD % (status, 4) + b"body")
    assert response == (int(status[:3]), b"body")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"not HTTP\r\n\r\n", "invalid: BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n", "invalid: HTTPException"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "invalid: IncompleteRead",
        ),
        (HEAD % (b"200 OK", 1_100_000) + b"x" * 1_100_000, "too large"),
        (b"", "invalid: RemoteDisconnected"),
    ],
)
def test_a_broken_response_is_an_os_error(reply, reason):
    with pytest.raises(OSError, match=reason):
        fetch_reply(reply)


@pytest.mark.parametrize("status", [b"302 Found", b"307 Temporary Redirect"])
def test_a_request_with_credentials_follows_no_redirect(status):
    reply = b"HTTP/1.1 %s\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n" % status
    headers = {"x-api-key": "secret"}
    response = fetch_reply(reply, method="POST", body=b"x", headers=headers)
    assert response == (int(status[:3]), b"")
    with pytest.raises(OSError, match="refused"):
        fetch_reply(reply)


def test_slow_headers_are_an_os_error():
    """The connection ends too; otherwise its thread would wait as long as the server sends."""
    ended = []

    def trickle(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            try:
                for _ in range(300):
                    connection.sendall(b"X")  # one header that takes 6 s
                    time.sleep(0.02)
            except OSError:
                ended.append(True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(OSError, match="too slow"):
            asyncio.run(fetch(url, seconds=0.3))
        thread.join()
    assert ended
