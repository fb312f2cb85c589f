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
_MAX_SIZE = 8 * 1024 * 1024  # characters of all kept lines


class LogBuffer(logging.Handler):
    """A logging handler that keeps the latest lines: at most 1,000, and 8 MiB in total.

    :param loggers: the loggers whose lines are kept.
    """

    def __init__(self, loggers: Iterable[logging.Logger]) -> None:
        super().__init__()
        self._loggers = set(loggers)
        self._formatter = JsonFormatter()
        self._lines: deque[str] = deque()
        self._size = 0

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
        """Keep one log line.

        :param record: the log record.
        """
        try:
            line = self._formatter.format(record)
        except Exception:  # noqa: BLE001  # str() of a user's object may raise anything
            return  # the pipeline counts and reports the line
        self._lines.append(line)
        self._size += len(line)
        while len(self._lines) > _MAX_LINES or self._size > _MAX_SIZE:
            self._size -= len(self._lines.popleft())

    def iter_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the kept lines, oldest first, with the fields of the JSON log format."""
        pid = os.getpid()
        for line in list(self._lines):
            yield {**msgspec.json.decode(line, type=dict[str, Any]), "pid": pid}
