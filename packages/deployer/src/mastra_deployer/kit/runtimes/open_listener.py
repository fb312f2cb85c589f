"""Open a listening socket as the launcher of a bundle does, or check that it can be opened."""

from __future__ import annotations

import socket

from mastra_core import launcher
from mastra_core.errors import ConfigError

__all__ = ("check_port", "open_listener", "open_preview_listener")


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    :param host: address to bind.
    :param port: port to bind; 0 for any free port.
    :raises OSError: when the address cannot be bound, or another process serves the port. macOS
        itself would let a second process bind such a port.
    :raises UnicodeError: for a host that is not a valid name.
    :raises OverflowError: for a port above 65535.
    """
    listener: socket.socket = launcher.open_listener(host, port)  # type: ignore[no-untyped-call]  # other Pythons read it
    return listener


def open_preview_listener(host: str, port: int) -> socket.socket:
    """Return the listening socket of a preview.

    :param host: address to bind.
    :param port: port to bind; 0 for any free port.
    :raises ConfigError: when the port is in use, or the host is not an address of this machine.
    """
    try:
        return open_listener(host, port)
    except (OSError, OverflowError, UnicodeError) as error:  # OverflowError: a port above 65535
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {reason}.", "Pass another --port or --host."
        ) from None


def check_port(host: str, port: int) -> int:
    """Return a free port, for a preview in which another program opens the port.

    :param host: address to listen on.
    :param port: port to listen on; 0 for any free port.
    :raises ConfigError: when the port is in use, or the host is not an address of this machine.
    """
    with open_preview_listener(host, port) as listener:
        return int(listener.getsockname()[1])
