"""Wait for a server to listen on a port."""

from __future__ import annotations

import contextlib
import socket
import time


def wait_for_port(port, process, seconds=20):
    """Wait until the process accepts connections on a local port."""
    end = time.monotonic() + seconds
    while not is_listening(port):
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < end, f"the server does not listen on port {port}"
        time.sleep(0.05)


def is_listening(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
