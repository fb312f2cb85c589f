"""The port: bound once by the parent, so that no reload ever frees it."""

from __future__ import annotations

import errno
import os
import socket

from mastra_core.errors import ConfigError

__all__ = ("listen", "listen_near", "port_number", "url_of")

_NEXT = 100  # ports tried after the wanted one


def port_number(text: str, where: str) -> int:
    """A port as it stands in a flag or variable.

    :raises ConfigError: when it is none.
    """
    if text.isascii() and text.isdigit() and int(text) <= 65535:  # noqa: PLR2004  # the highest port
        return int(text)
    raise ConfigError(f"{where} is {text!r}.", "Give a number from 0 to 65535; 0 picks a free one.")


def listen(host: str, port: int, other: str = "") -> socket.socket:
    """A listening socket.

    :param other: who is known to be there, for the error.
    :raises ConfigError: when the address cannot be had.
    """
    try:
        return _bound(host, port)
    except (socket.gaierror, UnicodeError):  # found to be none by the look-up itself
        raise ConfigError(
            f"{host!r} is no address of this machine.", "Pass --host 127.0.0.1, or 0.0.0.0 for all."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}.",
            other or "Stop what listens there, or pass another --port (0 picks a free one).",
        ) from None


def listen_near(host: str, port: int) -> socket.socket:
    """A listening socket on that port, or on the next one that is free."""
    for number in range(port, min(port + _NEXT, 65536)):
        try:
            return _bound(host, number)
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) not in (errno.EADDRINUSE, errno.EACCES):
                return listen(host, number)
    return listen(host, 0)


def url_of(listener: socket.socket) -> str:
    """Where to point a browser: all addresses of a machine include its own."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.getaddrinfo(host, port)  # create_server's own error does not say that this failed
    listener = socket.create_server((host, port), family=family, backlog=2048)
    listener.setblocking(False)
    return listener
