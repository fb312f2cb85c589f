"""The port of a preview whose own program listens on it."""

import socket

import pytest

from mastra_core.errors import ConfigError
from mastra_deployer.kit import check_port


def test_a_free_port_is_returned_and_can_be_used():
    port = check_port("127.0.0.1", 0)
    assert check_port("127.0.0.1", port) == port
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_port_in_use_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Cannot listen on 127.0.0.1:{port}") as raised:
            check_port("127.0.0.1", port)
    assert "--port" in raised.value.hint
