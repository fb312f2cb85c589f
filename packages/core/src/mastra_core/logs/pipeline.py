"""Pass log records to every transport: directly, or by a thread while a server runs."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mastra_core.freezing import freezes_between_requests
from mastra_core.logs.background_writer import BackgroundWriter
from mastra_core.logs.log_entry import format_entry, measure_entry, read_entry
from mastra_core.logs.losses import Loss, Losses
from mastra_core.logs.stream_transport import StreamTransport
from mastra_core.logs.transport import LinesLost, LogTransport, measure_line
from mastra_core.logs.write_sequence import WriteSequence
from mastra_core.redaction import safe_message

__all__ = ("LogPipeline", "find_pipeline")

_STOP_TIMEOUT = 2.0  # seconds to write the last lines
# Lines are written without a thread: on some platforms there is no thread, or a thread would not
# write the last lines of a request in time. Under `mastra dev`, the lines of a request must appear
# before the line that reports its end.
_WRITES_DIRECTLY = (
    sys.platform == "emscripten"
    or freezes_between_requests()
    or os.environ.get("MASTRA_DEV") == "true"
)


class LogPipeline(logging.Handler):
    """The handler of a logger that ``create_logger`` has created.

    :param transports: the destinations of lines, by name.
    """

    def __init__(self, transports: Mapping[str, LogTransport]) -> None:
        super().__init__()
        self.transports: dict[str, LogTransport] = {}
        self._names: dict[LogTransport, str] = {}
        self._streams: dict[str, LogTransport] = {}
        self._entry_transports: tuple[LogTransport, ...] = ()
        self._other_transports: dict[str, LogTransport] = {}
        self._losses = Losses()
        self._direct_writes = WriteSequence(self.lock)  # of lines without the thread
        self._writer: BackgroundWriter | None = None
        self._start_lock = threading.RLock()
        self._is_starting = False
        self._servers = 0  # how many servers run with this logger
        self._is_abandoned = False  # whether the writer hangs in a destination
        self._has_exit_hooks = False
        self._closes_at_exit = False
        for name, transport in transports.items():
            self.add_transport(name, transport)

    def add_transport(self, name: str, transport: LogTransport) -> None:
        """Add a destination of lines.

        :param name: name of the transport.
        :param transport: the transport.
        """
        if not self._closes_at_exit and not isinstance(transport, StreamTransport):
            self._closes_at_exit = True
            atexit.register(self._close_transports)  # runs after _stop_at_exit
        self.transports = {**self.transports, name: transport}
        if isinstance(transport, StreamTransport):
            self._streams = {**self._streams, name: transport}
        group = {key: each for key, each in self.transports.items() if each.accepts_entries}
        self._entry_transports = tuple(group.values())
        self._other_transports = {
            key: each for key, each in self.transports.items() if key not in group
        }
        self._names[transport] = name
        transport.report_loss = partial(self._losses.add, name)

    def handle(self, record: logging.LogRecord) -> bool:
        """Pass a record to the transports; if a thread writes the lines, this needs no lock.

        :param record: the log record.
        """
        if self._writer is None or self.filters:
            return super().handle(record)
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record to the transports.

        :param record: the log record.
        """
        self._forward(record)
        if (
            self._losses.is_unreported
            and self._writer is None
            and not self._direct_writes.is_writing()  # the call that has begun the write reports
        ):
            self._report_losses()

    def get_lost_counts(self) -> dict[str, int]:
        """Return the number of lost lines of each transport that has lost some."""
        return self._losses.get_counts()

    def start(self) -> None:
        """Write lines in a thread, until ``stop`` was called as often as ``start``."""
        self._servers += 1
        if not self._has_exit_hooks:
            self._has_exit_hooks = True
            atexit.register(self._stop_at_exit)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self._forget_writer)

    def stop(self) -> None:
        """Write the queued lines, for at most two seconds; write later lines without the thread."""
        self._servers -= 1
        if self._servers == 0:
            close_by = time.monotonic() + _STOP_TIMEOUT
            for transport in self.transports.values():
                transport.begin_close(close_by)
            self._stop_writer()
            self._close_transports()

    def _forward(self, record: logging.LogRecord, skip: str = "") -> None:
        """Format a record for each transport, and write the lines or queue them.

        A record that a transport itself logs goes to the streams only. If a transport got its own
        record, it could log another one, and so on without end. The record of a signal handler
        that interrupts ``write`` of a transport is not distinguishable from a record of this
        transport. Such a record therefore also goes to the streams only, unless the interrupted
        transport never logs: a stream, a file, or an HTTP endpoint.
        """
        writer, thread = self._get_writer(), threading.get_ident()
        is_own = thread == self._direct_writes.logging_thread or (
            writer is not None and thread == writer.ident
        )
        if writer is None or is_own:
            self._format_for(record, self._streams if is_own else self.transports, writer, skip)
            return
        targets = self._entry_transports
        for transport in targets:
            if record.levelno < transport.level:
                targets = tuple(each for each in targets if record.levelno >= each.level)
                break
        if targets:
            self._queue_entry(record, targets, writer)
        if self._other_transports:
            self._format_for(record, self._other_transports, writer)

    def _format_for(
        self,
        record: logging.LogRecord,
        transports: Mapping[str, LogTransport],
        writer: BackgroundWriter | None,
        skip: str = "",
    ) -> None:
        for name, transport in transports.items():
            if record.levelno >= transport.level and name != skip and not self._is_abandoned:
                self._format(record, transport, writer)

    def _queue_entry(
        self,
        record: logging.LogRecord,
        transports: Sequence[LogTransport],
        writer: BackgroundWriter,
    ) -> None:
        """Queue a record for JSON transports; format it now only if a field is a mutable object."""
        try:
            entry = read_entry(record)
            size = measure_entry(entry)
            line = entry if size else format_entry(entry)
        except Exception as error:  # noqa: BLE001  # str() of a user's object may raise anything
            self._count_unformatted(error, transports)
            return
        self._queue(line, size or measure_line(line), transports, writer)

    def _format(
        self,
        record: logging.LogRecord,
        transport: LogTransport,
        writer: BackgroundWriter | None,
    ) -> None:
        """Format a record for one transport, and write the line or queue it."""
        try:
            line = transport.format(record)
        except Exception as error:  # noqa: BLE001  # str() of a user's object may raise anything
            self._count_unformatted(error, [transport])
            return
        if writer is None or not transport.is_blocking:
            self._write_alone(transport, line)
        else:
            self._queue(line, measure_line(line), [transport], writer)

    def _queue(
        self, line: Any, size: int, transports: Sequence[LogTransport], writer: BackgroundWriter
    ) -> None:
        if not writer.put(transports, line, size):
            reason = "more lines were logged than could be written"
            for transport in transports:
                self._losses.add(self._names[transport], 1, reason, is_failure=False)

    def _count_unformatted(self, error: Exception, transports: Sequence[LogTransport]) -> None:
        for transport in transports:
            reason = f"a line cannot be formatted: {safe_message(error)}"
            self._losses.add(self._names[transport], 1, reason)

    def _get_writer(self) -> BackgroundWriter | None:
        if (
            self._writer is None
            and self._servers
            and not _WRITES_DIRECTLY
            and not self._is_abandoned
        ):
            with self._start_lock:  # two threads may log their first lines at once
                if self._is_starting:  # a signal handler interrupts the start: it writes itself
                    return None
                if self._writer is None:
                    self._is_starting = True
                    try:
                        self._writer = BackgroundWriter(
                            self._write_batch, self._count_unformatted, self._direct_writes
                        )
                    except RuntimeError:  # the host allows no further thread now
                        return None
                    finally:
                        self._is_starting = False
        return self._writer

    def _write_batch(self, transport: LogTransport, lines: list[Any]) -> None:
        self._write(transport, lines)
        if self._losses.is_unreported:
            self._report_losses()

    def _write(self, transport: LogTransport, lines: list[Any]) -> None:
        name = self._names[transport]
        try:
            transport.write(lines)
        except LinesLost as error:
            self._losses.add(name, error.count, error.reason)
        except Exception as error:  # noqa: BLE001  # a custom transport may raise anything
            self._losses.add(name, len(lines), safe_message(error))

    def _write_alone(self, transport: LogTransport, line: Any) -> None:
        """Write a line in the thread that has logged it, while nothing else is written."""
        write = partial(self._write, transport, [line])
        if not self._direct_writes.run(write, may_log=transport.may_log):
            reason = "each line that is written causes another one"
            self._losses.add(self._names[transport], 1, reason, is_failure=False)

    def _report_losses(self, *, is_final: bool = False) -> None:
        for loss in self._losses.take_reports(is_final=is_final):
            self._forward(_build_report(loss), loss.transport if loss.is_failure else "")

    def _stop_writer(self) -> None:
        writer = self._writer
        if writer is None:
            return
        if not writer.stop(_STOP_TIMEOUT):
            self._is_abandoned = True  # a direct write would hang as well
        self._writer = None  # not before: a direct write would run beside the thread

    def _stop_at_exit(self) -> None:
        """Write the last lines of a process that has not stopped its servers.

        Lines that are logged later are written directly, because a thread would end before it
        writes them.
        """
        self._servers = 0
        self._stop_writer()

    def _close_transports(self) -> None:
        for name, transport in self.transports.items():
            try:
                transport.close()
            except Exception as error:  # noqa: BLE001  # a custom transport may raise anything
                self._losses.add(name, 0, safe_message(error))
        self._report_losses(is_final=True)

    def _forget_writer(self) -> None:
        """Write without a thread in a child process, because a fork copies no threads."""
        self._writer, self._servers, self._is_starting = None, 0, False
        self._start_lock = threading.RLock()


def find_pipeline(logger: logging.Logger) -> LogPipeline | None:
    """Return the pipeline of a logger that ``create_logger`` has created.

    :param logger: any logger.
    """
    return next((each for each in logger.handlers if isinstance(each, LogPipeline)), None)


def _build_report(loss: Loss) -> logging.LogRecord:
    return logging.makeLogRecord(
        {
            "name": "mastra.logs",
            "levelno": logging.WARNING,
            "levelname": "WARNING",
            "msg": f"{loss.count} log lines for {loss.transport!r} are lost: {loss.reason}",
        }
    )
