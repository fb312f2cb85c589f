"""Keep the latest log lines in memory, so that they can be read over HTTP."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator
from typing import Any

from mastra_core.logger import get_extra_fields, get_level_name, get_logger
from mastra_server.http.dates import format_iso

__all__ = ("LogBuffer",)

_MAX_LINES = 1000
_WIRE_NAMES = {"run_id": "runId", "resource_id": "resourceId"}


class LogBuffer(logging.Handler):
    """A logging handler that keeps the latest lines without their tracebacks.

    :param logger: the application's logger; the framework's own lines are kept too.
    """

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._loggers = {logger, get_logger("mastra")}
        self._lines: deque[dict[str, Any]] = deque(maxlen=_MAX_LINES)

    def open(self) -> None:
        """Start keeping lines."""
        for logger in self._loggers:
            logger.addHandler(self)

    def close(self) -> None:
        """Stop keeping lines."""
        for logger in self._loggers:
            logger.removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line.

        :param record: the log record.
        """
        milliseconds = int(record.created * 1000)
        standard_fields = {
            "level": get_level_name(record),
            "time": format_iso(milliseconds),
            "pid": os.getpid(),
            "hostname": "",
            "name": record.name,
            "msg": record.getMessage(),
        }
        fields = get_extra_fields(record)
        for field, name in _WIRE_NAMES.items():
            if field in fields:
                fields[name] = fields.pop(field)
        self._lines.append({**fields, **standard_fields, "at": milliseconds})

    def iter_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the kept lines, oldest first; ``at`` is in milliseconds since the epoch."""
        return iter(list(self._lines))
