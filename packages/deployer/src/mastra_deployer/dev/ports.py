"""Bind the app's port."""

from __future__ import annotations

import errno
import os
import re
import socket

from mastra_core.errors import ConfigError
from mastra_deployer.kit.runtimes.open_listener import open_listener

__all__ = ("listen", "listen_near", "parse_port", "to_url")

_MAX_PORTS = 100  # tried in order


def parse_port(text: str, where: str) -> int:
    """Parse the port of an option or a variable.

    :param text: the value.
    :param where: name of the option or the variable; errors name it.
    :raises ConfigError: when the text is not a port.
    """
    if re.fullmatch(r"[0-9]{1,5}", text) and int(text) <= 65535:  # noqa: PLR2004  # the highest port
        return int(text)
    raise ConfigError(
        f"{where} is {text!r}, which is not a port.",
        "Set a number from 0 to 65535. 0 selects a free port.",
    )


def listen(host: str, port: int, other: str = "") -> socket.socket:
    """Return a listening socket.

    :param host: address to bind.
    :param port: port to bind; 0 for a free one.
    :param other: a hint that names the process that uses the port, if the process is known.
    :raises ConfigError: when the address cannot be bound.
    """
    try:
        return _bind(host, port)
    except (OSError, UnicodeError) as error:
        unknown = isinstance(error, socket.gaierror | UnicodeError)  # the host cannot be resolved
        if unknown or getattr(error, "errno", 0) == errno.EADDRNOTAVAIL:
            raise ConfigError(
                f"This machine does not have the address {host!r}.",
                "Pass --host 127.0.0.1, or --host 0.0.0.0 for all addresses.",
            ) from None
        if getattr(error, "errno", 0) == errno.EACCES:
            other = "Pass a --port of 1024 or higher, because lower ports need privileges."
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {os.strerror(getattr(error, 'errno', 0) or 0)}.",
            other
            or "Stop the program that uses the port, or pass another --port. 0 selects a "
            "free port.",
        ) from None


def listen_near(host: str, port: int) -> socket.socket:
    """Return a listening socket on a port, or on the next free port.

    :param host: address to bind.
    :param port: the first port to try.
    :raises ConfigError: when the address cannot be bound.
    """
    for number in range(port, min(port + _MAX_PORTS, 65536)):
        try:
            return _bind(host, number)
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) not in (errno.EADDRINUSE, errno.EACCES):
                return listen(host, number)
    return listen(host, 0)


def to_url(listener: socket.socket) -> str:
    """Return the URL of a socket, with loopback in place of a wildcard address.

    :param listener: a bound socket.
    """
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _bind(host: str, port: int) -> socket.socket:
    socket.getaddrinfo(host, port)  # a socket does not tell this error from others
    listener = open_listener(host, port)
    listener.setblocking(False)
    return listener
