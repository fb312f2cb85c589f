"""Open a listening socket as the launcher of a bundle does."""

from __future__ import annotations

import socket

from mastra_core import launcher

__all__ = ("open_listener",)


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    :param host: address to bind.
    :param port: port to bind; 0 for any free port.
    :raises OSError: when it cannot be bound; a port that a process serves is in use, also on macOS,
        which lets a second process bind it.
    :raises UnicodeError: for a host that is no name.
    """
    listener: socket.socket = launcher.open_listener(host, port)  # type: ignore[no-untyped-call]  # other Pythons read it
    return listener
