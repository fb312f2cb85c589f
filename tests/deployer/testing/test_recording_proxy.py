"""The recording proxy of the conformance suite, between a real client and a real server."""

import contextlib
import threading

import pytest
from websockets.sync.server import serve

from mastra_core.errors import ApiError
from mastra_deployer.kit import iter_websocket_lines
from mastra_deployer.testing.fault_injection import RESET, TRUNCATED
from mastra_deployer.testing.proxy.recording_proxy import RecordingProxy


@contextlib.contextmanager
def run_proxy(handler):
    """Yield a proxy of a server whose WebSockets `handler` serves, and the proxy's address."""
    with serve(handler, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy = RecordingProxy(f"http://127.0.0.1:{server.socket.getsockname()[1]}", 100)
        proxy.start()
        yield proxy, f"ws{proxy.url.removeprefix('http')}/tail"
        proxy.stop()
        server.shutdown()


def greet(connection):
    connection.send(f"hello {connection.recv()}\n{connection.request.headers['x-key']}")


def test_a_websocket_passes_the_proxy():
    with run_proxy(greet) as (proxy, url):
        headers = {"x-key": "let-me-in"}
        lines = iter_websocket_lines(url, home=url, headers=headers, messages=["Ada"])
        assert list(lines) == ["hello Ada", "let-me-in"]
    (exchange,) = proxy.exchanges
    assert (exchange.method, exchange.path) == ("GET", "/tail")
    assert exchange.headers["x-key"] == "", "the proxy records no credentials"


@pytest.mark.parametrize("fault", [RESET, TRUNCATED])
def test_a_fault_breaks_a_websocket(fault):
    with run_proxy(greet) as (proxy, url), proxy.apply_rule(lambda _: fault):
        with pytest.raises(ApiError, match="failed"):
            list(iter_websocket_lines(url, home=url, messages=["Ada"]))
        assert proxy.exchanges[0].fault == fault


def test_a_client_may_leave_an_open_websocket():
    left = threading.Event()

    def follow(connection):
        connection.send("one")
        with contextlib.suppress(Exception):
            connection.recv()
        left.set()

    with run_proxy(follow) as (_, url):
        lines = iter_websocket_lines(url, home=url)
        assert next(lines) == "one"
        lines.close()
        assert left.wait(10), "the platform learns that the client has left"
