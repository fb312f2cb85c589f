"""The base class of transports, which write log lines to a destination."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from mastra_core.logs.formats import JsonFormatter
from mastra_core.logs.log_records import copy_record

__all__ = ("HandlerTransport", "LinesLost", "LogTransport", "measure_line")

_RECORD_SIZE = 1024  # bytes that a record takes beside its texts


class LinesLost(Exception):
    """A transport could not write all lines.

    :param count: the number of lost lines.
    :param reason: why the lines were lost, in one sentence.
    """

    def __init__(self, count: int, reason: str) -> None:
        super().__init__(reason)
        self.count = count
        self.reason = reason


class LogTransport:
    """A destination of log lines.

    While a server runs, a background thread calls ``write`` with all lines that were logged since
    its last call. The background thread also formats JSON lines, except lines with a mutable object
    in a field. An overridden ``format`` is called in the thread that logs the line.

    :param formatter: formats the lines; JSON by default.
    """

    level = logging.NOTSET  # records below this level are not written
    is_blocking: ClassVar[bool] = True  # whether write may wait for its destination
    may_log: ClassVar[bool] = True  # whether write may log; only streams get what write logs
    can_list: ClassVar[bool] = False  # whether iter_lines yields lines

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        self._formatter = formatter or JsonFormatter()
        self.report_loss: Callable[[int, str], None] = _ignore_loss  # set by the logger

    def format(self, record: logging.LogRecord) -> Any:
        """Return the line that ``write`` gets for a record: JSON by default.

        :param record: the log record; it may only be used during this call.
        """
        return self._formatter.format(record)

    @property
    def accepts_entries(self) -> bool:
        """Whether the lines are JSON, so that the background thread of the log may format them."""
        return (
            self.is_blocking
            and type(self).format is LogTransport.format
            and type(self._formatter) is JsonFormatter
        )

    def write(self, lines: Sequence[Any]) -> None:
        """Write lines.

        :param lines: the lines, as ``format`` returned them.
        :raises LinesLost: when some lines could not be written. After any other exception, the log
            counts all of these lines as lost.
        """
        raise NotImplementedError

    def iter_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the latest lines as data, oldest first, if the transport can list them."""
        return iter(())

    def begin_close(self, close_by: float) -> None:
        """Begin to write the remaining lines, without waiting; ``close`` then waits.

        :param close_by: the time of the monotonic clock at which ``close`` gives up.
        """

    def close(self) -> None:
        """Write the remaining lines, for at most two seconds, and release resources."""


def _ignore_loss(_count: int, _reason: str) -> None:
    pass


class HandlerTransport(LogTransport):
    """Passes records to a handler of the standard library.

    :param handler: any ``logging.Handler``.
    """

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    @property
    def level(self) -> int:  # type: ignore[override]  # the application may change it at any time
        """The level of the handler."""
        return self._handler.level

    def format(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return a copy of the record, which another thread may handle.

        :param record: the log record.
        """
        return copy_record(record)

    def write(self, lines: Sequence[logging.LogRecord]) -> None:
        """Pass records to the handler.

        :param lines: the records.
        """
        for record in lines:
            self._handler.handle(record)

    def close(self) -> None:
        """Flush the handler; it stays open, because it belongs to the application."""
        self._handler.flush()


def measure_line(line: Any) -> int:
    """Estimate the bytes of memory that a line takes.

    :param line: a line that ``format`` has returned.
    """
    if isinstance(line, str):
        return len(line)
    return _RECORD_SIZE + sum(_measure(each) for each in getattr(line, "__dict__", {}).values())


def _measure(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    return len(str(value)) if isinstance(value, dict | list | tuple) else 0
