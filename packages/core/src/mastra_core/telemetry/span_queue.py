"""Export ended spans in a thread, through a queue of limited size."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any, Protocol

from mastra_core.logger import get_logger
from mastra_core.logs.bounded_queue import BoundedQueue
from mastra_core.logs.wakeup import Wakeup
from mastra_core.redaction import safe_message
from mastra_core.telemetry.export_counts import ExportCounts
from mastra_core.telemetry.span_size import estimate_span_size

__all__ = ("ExportFailure", "SpanQueue", "SpanSender")

MAX_BYTES = 32 * 1024 * 1024  # of spans that wait
_BATCH_BYTES = 4 * 1024 * 1024  # of one export; collectors refuse large requests


class ExportFailure(Exception):
    """A batch of spans was not accepted.

    :param reason: the reason, for the log.
    :param count: number of lost spans; all spans of the batch by default.
    """

    def __init__(self, reason: str, count: int | None = None) -> None:
        super().__init__(reason)
        self.count = count


class SpanSender(Protocol):
    """A destination of spans."""

    def send(self, spans: Sequence[Any], stopping: threading.Event, deadline: float) -> None:
        """Send spans; block until they are accepted or lost.

        :param spans: ended spans.
        :param stopping: an event that is set when the process stops; afterwards, a failed request
            is not retried.
        :param deadline: the value of ``time.monotonic()`` at which to give up.
        :raises ExportFailure: when spans are lost.
        """

    def close(self) -> None:
        """Close connections and files."""


class SpanQueue:
    """The spans that wait for their export, and the thread that exports them.

    If the queue is full, new spans are dropped. Dropped spans are counted. The log has one line
    when spans begin to be lost, and one line when the export works again.

    :param sender: the destination of the spans.
    :param counts: counts the exported and the lost spans.
    :param max_size: maximum number of waiting spans, whose memory ``MAX_BYTES`` limits in addition.
    :param batch_size: maximum number of spans in one export.
    :param delay: seconds between exports.
    :param timeout: seconds of one export, including all retries.
    """

    def __init__(
        self,
        sender: SpanSender,
        counts: ExportCounts,
        *,
        max_size: int = 2_048,
        batch_size: int = 512,
        delay: float = 5.0,
        timeout: float = 10.0,
    ) -> None:
        self._sender = sender
        self._counts = counts
        self._max_size = max_size
        self._batch_size = min(batch_size, max_size)
        self._delay = delay
        self._timeout = timeout
        self._reset()
        self._start()
        if hasattr(os, "register_at_fork"):
            reset = weakref.WeakMethod(self._reset)
            os.register_at_fork(after_in_child=lambda: (method := reset()) and method())

    def _reset(self) -> None:
        """Begin with an empty queue and no thread; a fork leaves the spans to the parent."""
        self._queue: BoundedQueue[Any] = BoundedQueue(MAX_BYTES, self._max_size)
        self._wake = Wakeup()
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._flushes = 0  # requests to export everything now
        self._finished_flushes = 0
        self._overflows = 0  # spans that the full queue did not take since the last report
        self._lost = 0  # spans that were lost since the export last worked
        self._sending = 0  # spans of the export under way
        self._is_abandoned = False  # whether the process no longer waits for that export
        self._end = 0.0  # when to give up after the process began to stop
        self._start_lock = threading.RLock()
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        with self._start_lock:  # after a fork, two threads may end their first spans at once
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="mastra-traces", daemon=True)
                with contextlib.suppress(RuntimeError):  # no further thread: the next span tries
                    thread.start()
                    self._thread = thread

    def add(self, span: Any) -> None:
        """Add an ended span without waiting; a span for which there is no room is dropped.

        :param span: the span.
        """
        if self._thread is None:
            self._start()
        if not self._queue.put(span, estimate_span_size(span)):
            self._overflows += 1
        elif self._has_batch() and not self._wake.is_set():
            self._wake.set()

    def flush(self, seconds: float) -> bool:
        """Export all waiting spans now; return whether that was done in time.

        :param seconds: how long to wait.
        """
        if self._thread is None:
            return True  # no span has ended since the fork
        with self._idle:
            self._flushes += 1
            number = self._flushes
            self._wake.set()
            return self._idle.wait_for(lambda: self._finished_flushes >= number, seconds)

    def close(self, seconds: float) -> None:
        """Export the waiting spans, and end the thread; spans that remain are lost.

        :param seconds: how long to wait.
        """
        self._end = time.monotonic() + seconds
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)
            self._is_abandoned = self._thread.is_alive()
        remaining = self._queue.take()
        self._count_lost(len(remaining) + self._sending * self._is_abandoned, "the process stops")
        self._count_overflows()

    def _has_batch(self) -> bool:
        """Return whether the waiting spans are enough for one export."""
        return len(self._queue) >= self._batch_size or self._queue.size >= _BATCH_BYTES

    def _run(self) -> None:
        while not self._stopping.is_set():
            has_work = self._flushes > self._finished_flushes or self._has_batch()
            self._wake.wait(0 if has_work else self._delay)
            flushes = self._flushes
            self._export(len(self._queue))
            with self._idle:
                self._finished_flushes = flushes
                self._idle.notify_all()
        while len(self._queue) and time.monotonic() < self._end:
            self._export(self._batch_size)
        self._sender.close()

    def _export(self, count: int) -> None:
        """Export ``count`` spans in batches, and report spans that the full queue has rejected."""
        while count > 0:
            batch = self._queue.take(min(count, self._batch_size), _BATCH_BYTES)
            if not batch:  # another thread has taken the rest
                break
            self._send(batch)
            count -= len(batch)
        self._count_overflows()

    def _send(self, batch: Sequence[Any]) -> None:
        deadline = time.monotonic() + self._timeout
        if self._stopping.is_set():
            deadline = min(deadline, self._end)
        self._sending = len(batch)
        lost, reason = self._try_to_send(batch, deadline)
        if self._is_abandoned:
            return  # counted as lost already
        self._sending = 0
        self._counts.add("exported", len(batch) - lost)
        self._count_lost(lost, reason)
        if not lost:
            self._report_recovery()

    def _try_to_send(self, batch: Sequence[Any], deadline: float) -> tuple[int, str]:
        """Return how many spans of a batch are lost, and why."""
        try:
            self._sender.send(batch, self._stopping, deadline)
        except ExportFailure as error:
            return len(batch) if error.count is None else error.count, safe_message(error)
        except Exception as error:  # noqa: BLE001  # an exporter of the user may raise anything
            return len(batch), f"{type(error).__name__}: {safe_message(error)}"
        return 0, ""

    def _count_overflows(self) -> None:
        overflows, self._overflows = self._overflows, 0
        self._count_lost(overflows, "the queue is full")

    def _count_lost(self, count: int, reason: str) -> None:
        if not count:
            return
        if not self._lost:
            get_logger("mastra.telemetry").warning(
                "spans are lost: %s", reason, extra={"lost_spans": count}
            )
        self._lost += count
        self._counts.add("dropped", count)

    def _report_recovery(self) -> None:
        if self._lost:
            get_logger("mastra.telemetry").info(
                "spans are exported again", extra={"lost_spans": self._lost}
            )
        self._lost = 0
