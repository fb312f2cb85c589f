"""The port of a preview, which the preview opens seconds after the port was chosen."""

import contextlib
import socket

from mastra_deployer.testing.free_port import find_free_port


def test_no_server_of_another_test_gets_the_port():
    ports = [find_free_port() for _ in range(20)]
    with contextlib.ExitStack() as stack:
        others = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(200))
        lowest = min(other.getsockname()[1] for other in others)
    assert max(ports) < lowest, "the system gives these ports to other servers"


def test_a_port_in_use_is_not_chosen(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        used = server.getsockname()[1]
        monkeypatch.setattr("random.sample", lambda *_: [used, *range(20_001, 20_100)])
        assert find_free_port() != used
