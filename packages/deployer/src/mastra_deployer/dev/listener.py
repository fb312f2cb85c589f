"""Where the app is reached: one listening socket for as long as ``mastra dev`` runs."""

from __future__ import annotations

import socket

from mastra_core.pipeline import Report
from mastra_deployer.dev.instance import Running
from mastra_deployer.dev.ports import listen, listen_near, url_of

__all__ = ("Address",)

_PORT = 3000


class Address:
    """Bound once, before or after the first import: the app may say which port it prefers.

    :param named: the port the user named; ``None`` lets the next free one be taken.
    :raises ConfigError: when the named one cannot be had.
    """

    def __init__(self, host: str, named: int | None, running: Running, report: Report) -> None:
        self._host = host
        self._running = running
        self._report = report
        self._listener: socket.socket | None = None
        other = "mastra dev (pid {pid}) runs in this project already: {url}".format(
            **{"pid": 0, "url": "", **running.other}
        )
        if running.other:
            report.note(f"Another {other}.", "Both serve what is saved, each on its own port.")
        if named is not None:
            self._keep(listen(host, named, f"Another {other}." if running.other else ""))

    def bind(self, wanted: int = _PORT) -> socket.socket:
        """The listening socket, on ``wanted`` or near it where none is there yet."""
        if self._listener is not None:
            return self._listener
        listener = listen_near(self._host, wanted)
        port = listener.getsockname()[1]
        if port != wanted:
            self._report.note(f"Port {wanted} is taken: using {port}.", "--port names another.")
        return self._keep(listener)

    @property
    def url(self) -> str:
        """Of the app; only once it is bound."""
        return url_of(self.bind())

    def _keep(self, listener: socket.socket) -> socket.socket:
        self._listener = listener
        self._running.write(url_of(listener))
        return listener
