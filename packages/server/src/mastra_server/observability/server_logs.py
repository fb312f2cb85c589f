"""Write the application's log while the server runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Protocol

from mastra_core import Mastra
from mastra_core.logger import get_logger
from mastra_core.logs.library_loggers import LibraryLoggers
from mastra_core.logs.pipeline import find_pipeline
from mastra_core.logs.transport import LogTransport
from mastra_core.request_scope import is_request_scoped
from mastra_server.observability.log_buffer import LogBuffer
from mastra_server.observability.otlp_settings import OtlpSettings, read_otlp_signal

__all__ = ("LineSource", "ServerLogs")


class LineSource(Protocol):
    """A source of log lines: the memory of the server, or a transport."""

    def iter_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the lines, oldest first, with the fields of the JSON log format."""


class ServerLogs:
    """The log of one application, which writes lines and keeps the latest lines in memory.

    :param mastra: the application.
    :param can_list: whether lines are kept in memory, and may be read over HTTP.
    """

    def __init__(self, mastra: Mastra, *, can_list: bool) -> None:
        self.pipeline = find_pipeline(mastra.logger)
        if self.pipeline is not None and read_otlp_signal("LOGS"):
            self.pipeline.add_transport("otlp", _build_otlp_transport(mastra))
        self._libraries = self._find_library_loggers(mastra.logger)
        self._buffer = LogBuffer(self._list_loggers(mastra.logger)) if can_list else None

    @property
    def sources(self) -> dict[str, LineSource]:
        """The sources of log lines that the log routes read, by transport id."""
        if self._buffer is None:
            return {}
        transports = self.pipeline.transports if self.pipeline else {}
        files = {name: each for name, each in transports.items() if each.can_list}
        return {"memory": self._buffer, **files}

    def open(self) -> None:
        """Start the log: collect the records of libraries, and write and keep the lines."""
        if self._libraries is not None:
            self._libraries.attach()
        if self.pipeline is not None and not is_request_scoped():
            self.pipeline.start()
        if self._buffer is not None:
            self._buffer.open()

    def close(self) -> None:
        """Write the last lines, and stop the log that ``open`` has started."""
        if self._buffer is not None:
            self._buffer.close()
        if self.pipeline is not None and not is_request_scoped():
            self.pipeline.stop()
        if self._libraries is not None:
            self._libraries.detach()

    def _find_library_loggers(self, logger: logging.Logger) -> LibraryLoggers | None:
        return None if self.pipeline is None else LibraryLoggers(self.pipeline, logger.level)

    def _list_loggers(self, logger: logging.Logger) -> set[logging.Logger]:
        found = {logger, get_logger("mastra")}
        return found if self.pipeline is None else {*found, logging.getLogger()}


def _build_otlp_transport(mastra: Mastra) -> LogTransport:
    from mastra_core.logs.otlp_transport import OtlpTransport

    settings = OtlpSettings.of(mastra)
    return OtlpTransport(
        settings.endpoint, headers=settings.headers, service_name=settings.service_name
    )
