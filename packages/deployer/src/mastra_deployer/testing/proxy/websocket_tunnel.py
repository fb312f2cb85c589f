"""Relay the bytes of a WebSocket between a deployer and its platform."""

from __future__ import annotations

import contextlib
import io
import socket
import threading

__all__ = ("relay_websocket",)

_CHUNK = 65536  # bytes


def relay_websocket(
    requests: io.BufferedIOBase, deployer: socket.socket, platform: socket.socket
) -> None:
    """Relay bytes in both directions until both sides have closed the connection.

    :param requests: the bytes that the deployer sends; some of them may be buffered.
    :param deployer: the connection to the deployer.
    :param platform: the connection to the platform.
    """
    sender = threading.Thread(target=_relay_requests, args=(requests, platform), daemon=True)
    sender.start()
    with contextlib.suppress(OSError):
        while chunk := platform.recv(_CHUNK):
            deployer.sendall(chunk)
    for connection in (deployer, platform):  # the thread ends, even if the deployer is silent
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    sender.join()


def _relay_requests(requests: io.BufferedIOBase, platform: socket.socket) -> None:
    """Relay the bytes that the deployer sends, and then close this direction."""
    with contextlib.suppress(OSError, ValueError):
        while chunk := requests.read1(_CHUNK):
            platform.sendall(chunk)
        platform.shutdown(socket.SHUT_WR)
