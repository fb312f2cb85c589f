"""Hold the listening socket of the app as long as ``mastra dev`` runs."""

from __future__ import annotations

import socket

from mastra_core.pipeline import Report
from mastra_deployer.dev.instance import InstanceFile
from mastra_deployer.dev.ports import listen, listen_near, to_url

__all__ = ("Address",)

_PORT = 3000


class Address:
    """The address of the app: a socket that is bound once, at creation or at the first use.

    :param host: address to bind.
    :param port: the port to bind at once. With ``None``, the app's preferred port or the next free
        port is bound later.
    :param instance: the instance file, into which the app's address is written.
    :param report: receives notes.
    :raises ConfigError: when the port cannot be bound.
    """

    def __init__(self, host: str, port: int | None, instance: InstanceFile, report: Report) -> None:
        self._host = host
        self._running = instance
        self._report = report
        self._listener: socket.socket | None = None
        other = "mastra dev (pid {pid}) is already running in this project: {url}".format(
            **{"pid": 0, "url": "", **instance.other}
        )
        if port is not None:
            self._set_listener(listen(host, port, f"Another {other}." if instance.other else ""))
        if instance.other:
            report.note(
                f"Another {other}.", "Both processes serve the saved app, each on its own port."
            )

    def bind(self, port_hint: int = _PORT) -> socket.socket:
        """Return the listening socket; the first call binds it.

        :param port_hint: the preferred port; if it is taken, the next free port is bound.
        """
        if self._listener is not None:
            return self._listener
        listener = listen_near(self._host, port_hint)
        port = listener.getsockname()[1]
        if port != port_hint:
            self._report.note(
                f"Port {port_hint} is in use, so port {port} is used.",
                "Pass --port to use another port.",
            )
        return self._set_listener(listener)

    @property
    def url(self) -> str:
        """The URL of the app; the first access binds the socket."""
        return to_url(self.bind())

    def _set_listener(self, listener: socket.socket) -> socket.socket:
        self._listener = listener
        self._running.write(to_url(listener))
        return listener
