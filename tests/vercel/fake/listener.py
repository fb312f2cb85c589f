"""Listens on many ports of this machine with one thread; each connection has one of its own."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable

Serve = Callable[[socket.socket, tuple[str, int]], object]


class Listener:
    """Sockets that are listened on until `stop`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def open(self, serve: Serve, port: int = 0) -> int:
        """Let `serve` have every connection to a port; a free one where none is named."""
        listening = socket.create_server(("127.0.0.1", port), backlog=128)
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ, serve)
        return int(listening.getsockname()[1])

    def stop(self) -> None:
        """Close everything, connections too."""
        self._stopped.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while not self._stopped.is_set():
            for key, _ in self._selector.select(0.02):
                with contextlib.suppress(OSError):
                    connection, address = key.fileobj.accept()
                    self._serve(key.data, connection, address)

    def _serve(self, serve: Serve, connection: socket.socket, address: tuple[str, int]) -> None:
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(connection)
        threading.Thread(target=self._talk, args=(serve, connection, address), daemon=True).start()

    def _talk(self, serve: Serve, connection: socket.socket, address: tuple[str, int]) -> None:
        with contextlib.suppress(OSError, ValueError):
            serve(connection, address)
        with self._lock:
            self._open.discard(connection)
        connection.close()
