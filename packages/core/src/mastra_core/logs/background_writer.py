"""Write log lines in a thread, so that a slow destination never delays a request.

The queue handlers of the standard library write each line by itself, have no limit in bytes, and
wait without end for a destination that hangs. Importing these queue handlers adds 4 ms to a cold
start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from mastra_core.logs.bounded_queue import BoundedQueue
from mastra_core.logs.log_entry import LogEntry, format_entries
from mastra_core.logs.transport import LogTransport
from mastra_core.logs.wakeup import Wakeup
from mastra_core.logs.write_sequence import WriteSequence

__all__ = ("BackgroundWriter",)

MAX_BYTES = 8 * 1024 * 1024  # of lines that wait
_BATCH_DELAY = 0.1  # seconds in which lines are collected; a wake-up costs more than a line
_BATCH_SIZE = 500  # lines that are formatted at once; other threads may run between two batches


class BackgroundWriter:
    """A thread that passes lines to their transports.

    The attribute ``ident`` is the identifier of the thread.

    :param write: writes the lines of one transport; must not raise.
    :param count_lost: called with the error and the transports of an entry that cannot be
        formatted.
    :param late_writes: runs the writes after the end of the thread.
    """

    def __init__(
        self,
        write: Callable[[LogTransport, list[Any]], None],
        count_lost: Callable[[Exception, Sequence[LogTransport]], None],
        late_writes: WriteSequence,
    ) -> None:
        self._write = write
        self._count_lost = count_lost
        self._queue: BoundedQueue[tuple[Sequence[LogTransport], Any]] = BoundedQueue(MAX_BYTES)
        self._wakeup = Wakeup()
        self._is_awake = False  # whether the thread will take the lines that wait now
        self._is_stopping = False
        self._late_writes = late_writes
        self._thread = threading.Thread(target=self._run, name="mastra-logs", daemon=True)
        self._thread.start()
        self.ident = self._thread.ident

    def put(self, transports: Sequence[LogTransport], line: Any, size: int) -> bool:
        """Queue a line; return ``False`` if the line is lost.

        :param transports: the destinations of the line.
        :param line: the line, as the transports formatted it, or an entry to format.
        :param size: bytes of memory that the line takes.
        """
        accepted = self._queue.put((transports, line), size)
        if not self._is_awake:
            self._is_awake = True
            self._wakeup.set()
        if self._is_stopping and not self._thread.is_alive():
            return self._late_writes.run(self._write_waiting_lines) and accepted
        return accepted

    def stop(self, seconds: float) -> bool:
        """Write the remaining lines; return ``False`` if that takes too long.

        :param seconds: the time limit.
        """
        self._is_stopping = True
        self._wakeup.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            return False
        # Lines that another thread has logged while this writer stopped.
        self._late_writes.run(self._write_waiting_lines)
        return True

    def _run(self) -> None:
        while not self._is_stopping:
            self._wakeup.wait()
            if not self._is_stopping:
                time.sleep(_BATCH_DELAY)
                self._is_awake = False  # the thread takes the lines after this
            self._write_waiting_lines()
        self._write_waiting_lines()  # that arrived during the last pass

    def _write_waiting_lines(self) -> None:
        waiting = len(self._queue)  # other threads may log without end
        while waiting > 0 and (batch := self._queue.take(_BATCH_SIZE)):
            waiting -= len(batch)
            self._write_lines(batch)

    def _write_lines(self, batch: Sequence[tuple[Sequence[LogTransport], Any]]) -> None:
        entries = [pair for pair in batch if type(pair[1]) is LogEntry]
        texts = iter(self._format_entries(entries))
        groups: dict[LogTransport, list[Any]] = {}
        for transports, line in batch:
            text = next(texts) if type(line) is LogEntry else line
            if text is not None:
                for transport in transports:
                    groups.setdefault(transport, []).append(text)
        for transport, lines in groups.items():
            self._write(transport, lines)

    def _format_entries(
        self, pairs: Sequence[tuple[Sequence[LogTransport], LogEntry]]
    ) -> list[str | None]:
        """Return the line of each entry, or ``None`` for an entry that cannot be formatted.

        An entry that cannot be formatted counts as lost.
        """
        try:
            return [*format_entries([entry for _, entry in pairs])]
        except Exception as error:  # noqa: BLE001  # a record from elsewhere, such as of the year 58883
            if len(pairs) > 1:
                return [line for pair in pairs for line in self._format_entries([pair])]
            self._count_lost(error, pairs[0][0])
            return [None]
