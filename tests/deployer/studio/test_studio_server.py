"""The server of `mastra studio`, with other files than Studio's."""

import contextlib
import socket
import struct
import threading
import time

import httpx
import pytest

from mastra_deployer.dev.local_access_child import LocalAccess
from mastra_deployer.studio.studio_server import StudioServer

SIZE = 20_000_000  # bytes; more than the buffers of a connection


@pytest.fixture
def address(tmp_path):
    """Serve files and a page, and return host and port."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "app.js").write_bytes(b"x" * SIZE)
    listener = socket.create_server(("127.0.0.1", 0))
    access = LocalAccess("mastra studio", "127.0.0.1")
    with StudioServer(listener, tmp_path, b"the page", access) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield listener.getsockname()
        server.shutdown()
        thread.join()


def send(address, target, method="GET"):
    """Send a request for any target, and return the response."""
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_aborted_requests_print_no_traceback(address, capfd):
    threads = threading.active_count()
    for _ in range(3):
        client = socket.create_connection(address)
        client.sendall(b"GET /assets/app.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.recv(10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()  # with a reset
    end = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < end:
        time.sleep(0.02)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("target", "status"),
    [("/assets/%00", b"404"), ("/assets/", b"404"), ("http://[", b"200"), ("//[", b"200")],
)
def test_malformed_targets_have_a_response(address, capfd, target, status):
    assert send(address, target).split(b" ", 2)[1] == status
    assert capfd.readouterr().err == ""


def test_the_head_of_a_response_is_that_of_a_get_request(address):
    host, port = address
    with contextlib.closing(httpx.Client(base_url=f"http://{host}:{port}")) as client:
        for path, size in (("/agents", 8), ("/assets/app.js", SIZE)):
            response = client.head(path)
            assert (response.status_code, response.content) == (200, b"")
            assert response.headers["content-length"] == str(size)


def test_no_page_of_another_origin_frames_a_response(address):
    """Over plain HTTP, the browser does not tell a server that listens on a network of frames."""
    for target in ("/agents", "/assets/app.js", "/assets/", "/refresh-events"):
        head = send(address, target).partition(b"\r\n\r\n")[0].lower()
        assert b"\r\ncontent-security-policy: frame-ancestors 'self'" in head, target
