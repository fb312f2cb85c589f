"""Write log lines in a thread, so that a slow destination never delays a request.

The queue handlers of the standard library write each line by itself, have no limit in bytes, and
wait without end for a destination that hangs. They also load 4 ms of modules at a cold start.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mastra_core.logs.log_entry import LogEntry, format_entry
from mastra_core.logs.transport import LogTransport

__all__ = ("BackgroundWriter", "LineQueue")

MAX_BYTES = 8 * 1024 * 1024  # of lines that wait
_BATCH_DELAY = 0.1  # seconds in which lines are collected; a wake-up costs more than a line


class LineQueue:
    """Lines that wait, limited in bytes.

    :param max_bytes: the limit; one line may exceed it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._items: deque[tuple[Any, int]] = deque()
        self._size = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Any, size: int) -> bool:
        """Add an item; return ``False`` if the queue is full.

        :param item: the item.
        :param size: bytes of memory that the item takes.
        """
        with self._lock:
            if self._items and self._size + size > self._max_bytes:
                return False
            self._items.append((item, size))
            self._size += size
        return True

    def take(self, amount: int | None = None) -> list[Any]:
        """Remove items, and return them in their order.

        :param amount: the maximum number of items; all by default.
        """
        with self._lock:
            count = len(self._items) if amount is None else min(amount, len(self._items))
            pairs = [self._items.popleft() for _ in range(count)]
            self._size -= sum(size for _, size in pairs)
        return [item for item, _ in pairs]


class BackgroundWriter:
    """A thread that passes lines to their transports.

    The attribute ``ident`` is the identifier of the thread.

    :param write: writes the lines of one transport; must not raise.
    :param count_lost: called with the error and the transports of an entry without a line.
    """

    def __init__(
        self,
        write: Callable[[LogTransport, list[Any]], None],
        count_lost: Callable[[Exception, Sequence[LogTransport]], None],
    ) -> None:
        self._write = write
        self._count_lost = count_lost
        self._queue = LineQueue(MAX_BYTES)
        self._wakeup = threading.Event()
        self._is_awake = False  # whether the thread will take the lines that wait now
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="mastra-logs", daemon=True)
        self._thread.start()
        self.ident = self._thread.ident

    def put(self, transports: Sequence[LogTransport], line: Any, size: int) -> bool:
        """Pass on a line; return ``False`` if too many wait.

        :param transports: where the line goes.
        :param line: the line, as the transports formatted it, or an entry to format.
        :param size: bytes of memory that the line takes.
        """
        accepted = self._queue.put((transports, line), size)
        if not self._is_awake:
            self._is_awake = True
            self._wakeup.set()
        return accepted

    def stop(self, seconds: float) -> bool:
        """Write the remaining lines; return ``False`` if that takes too long.

        :param seconds: the time limit.
        """
        self._is_stopping = True
        self._wakeup.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._is_stopping or len(self._queue):
            self._wakeup.wait()
            if not self._is_stopping:
                time.sleep(_BATCH_DELAY)
                self._wakeup.clear()
                self._is_awake = False  # the thread takes the lines after this
            self._write_waiting_lines()

    def _write_waiting_lines(self) -> None:
        batches: dict[LogTransport, list[Any]] = {}
        for transports, line in self._queue.take():
            try:
                text = format_entry(line) if type(line) is LogEntry else line
            except Exception as error:  # noqa: BLE001  # a record from elsewhere, such as of the year 58883
                self._count_lost(error, transports)
                continue
            for transport in transports:
                batches.setdefault(transport, []).append(text)
        for transport, lines in batches.items():
            self._write(transport, lines)
