"""Listen on many ports with one thread; each connection gets a thread of its own."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable

ConnectionHandler = Callable[[socket.socket, tuple[str, int]], object]


class Listener:
    """Listening sockets, open until `stop`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stop_event = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def open(self, handler: ConnectionHandler, port: int = 0) -> int:
        """Pass every connection to a port to `handler`; 0 is any free port."""
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, handler)
        return int(listener.getsockname()[1])

    def stop(self) -> None:
        """Close all listening sockets and connections."""
        self._stop_event.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while not self._stop_event.is_set():
            for key, _ in self._selector.select(0.02):
                with contextlib.suppress(OSError):
                    connection, address = key.fileobj.accept()
                    self._start_thread(key.data, connection, address)

    def _start_thread(
        self, serve: ConnectionHandler, connection: socket.socket, address: tuple[str, int]
    ) -> None:
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._connections.add(connection)
        threading.Thread(
            target=self._handle_connection, args=(serve, connection, address), daemon=True
        ).start()

    def _handle_connection(
        self, serve: ConnectionHandler, connection: socket.socket, address: tuple[str, int]
    ) -> None:
        with contextlib.suppress(OSError, ValueError):
            serve(connection, address)
        with self._lock:
            self._connections.discard(connection)
        connection.close()
