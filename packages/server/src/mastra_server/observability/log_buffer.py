"""The latest lines of the log, kept in memory for whoever may read them over HTTP."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections import deque
from collections.abc import Iterator
from typing import Any

from mastra_core.logger import fields_of, level_of, logger_of

__all__ = ("LogBook",)

_KEPT = 1000


class LogBook(logging.Handler):
    """Keeps the latest lines, newest last; tracebacks stay in the log itself.

    :param logger: the application's; the framework's own lines come along.
    """

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._loggers = {logger, logger_of("mastra")}
        self._lines: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def open(self) -> None:
        """Begin to keep lines."""
        for each in self._loggers:
            each.addHandler(self)

    def close(self) -> None:
        """Keep no more."""
        for each in self._loggers:
            each.removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        own = {
            "level": level_of(record),
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "pid": os.getpid(),
            "hostname": "",
            "name": record.name,
            "msg": record.getMessage(),
        }
        fields = fields_of(record)
        if "run_id" in fields:
            fields["runId"] = fields.pop("run_id")
        self._lines.append({**fields, **own, "at": int(record.created * 1000)})

    def lines(self) -> Iterator[dict[str, Any]]:
        """Everything that is kept, oldest first; ``at`` is milliseconds since the epoch."""
        return iter(list(self._lines))
