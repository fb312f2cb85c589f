"""Requests that may be repeated after real errors of connections."""

import contextlib
import socket
import threading

import httpx
import pytest

from mastra_deployer.kit.http.retry_rules import RetryRules


@pytest.fixture
def refusing():
    """The port of a socket that nobody listens to."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def disconnecting():
    """The port of a server that reads a request and closes the connection without an answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def disconnect():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)

        thread = threading.Thread(target=disconnect)
        thread.start()
        yield listener.getsockname()[1]
    thread.join()


def can_retry(method, port):
    with pytest.raises(httpx.TransportError) as caught:
        httpx.request(method, f"http://127.0.0.1:{port}", trust_env=False)
    return RetryRules().can_retry(caught.value.request, caught.value)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_without_a_connection_is_repeated(refusing, method):
    assert can_retry(method, refusing)


@pytest.mark.parametrize(("method", "is_repeated"), [("GET", True), ("POST", False)])
def test_a_request_that_may_have_arrived_is_repeated_if_it_is_idempotent(
    disconnecting, method, is_repeated
):
    assert can_retry(method, disconnecting) is is_repeated
