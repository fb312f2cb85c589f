"""Keep the latest log lines in memory, so that they can be read over HTTP."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from mastra_core.logs.formats import JsonFormatter

__all__ = ("LogBuffer",)

_MAX_LINES = 1000


class LogBuffer(logging.Handler):
    """A logging handler that keeps the latest lines.

    :param loggers: the loggers whose lines are kept.
    """

    def __init__(self, loggers: Iterable[logging.Logger]) -> None:
        super().__init__()
        self._loggers = set(loggers)
        self._formatter = JsonFormatter()
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
        try:
            line = msgspec.json.decode(self._formatter.format(record))
        except Exception:  # noqa: BLE001  # str() of a user's object may raise anything
            return  # the pipeline counts and reports the line
        self._lines.append({**line, "pid": os.getpid()})

    def iter_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the kept lines, oldest first, as the JSON format has them."""
        return iter(list(self._lines))
