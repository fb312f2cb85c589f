"""Count the log lines that were lost, and report them once in a while."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator

from mastra_core.metrics import is_recording, record
from mastra_core.metrics.definitions import LOST_LOG_LINES

__all__ = ("Loss", "Losses")

_REPORT_INTERVAL = 60.0  # seconds between two reports about one transport


@dataclasses.dataclass(kw_only=True)
class Loss:
    """The lost lines of one transport.

    :param transport: name of the transport.
    :param count: number of lines that were lost since the process started.
    :param reported: number of lost lines that were reported.
    :param reason: why the latest lines were lost.
    :param is_failure: whether the transport failed, so that other transports must report the loss.
    """

    transport: str
    count: int = 0
    reported: int = 0
    reason: str = ""
    is_failure: bool = False
    due_at: float = 0.0  # when the next report may be made, on the monotonic clock


class Losses:
    """The lost lines of all transports of a logger."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer or a signal may log here
        self._losses: dict[str, Loss] = {}
        self.is_unreported = False  # read for every line, without the lock

    def add(self, transport: str, count: int, reason: str, *, is_failure: bool = True) -> None:
        """Count lost lines.

        :param transport: name of the transport.
        :param count: the number of lines.
        :param reason: why the lines were lost.
        :param is_failure: whether the transport failed; otherwise too many lines were waiting.
        """
        with self._lock:
            loss = self._losses.setdefault(transport, Loss(transport=transport))
            loss.count += count
            loss.reason, loss.is_failure = reason, is_failure
            self.is_unreported = True
        if is_recording():
            record(LOST_LOG_LINES, count, transport)

    def get_counts(self) -> dict[str, int]:
        """Return the number of lost lines of each transport that has lost some."""
        with self._lock:
            return {name: loss.count for name, loss in self._losses.items()}

    def take_reports(self, *, is_final: bool = False) -> Iterator[Loss]:
        """Yield the losses to report now: the first at once, later losses once a minute.

        :param is_final: whether this is the last report, which also contains losses that are not
            due.
        """
        now = time.monotonic()
        with self._lock:
            open_losses = [each for each in self._losses.values() if each.count > each.reported]
            due = [each for each in open_losses if is_final or now >= each.due_at]
            for loss in due:
                loss.due_at = now + _REPORT_INTERVAL
            reports = [dataclasses.replace(each) for each in due]
            for loss in due:
                loss.reported = loss.count
            self.is_unreported = len(due) < len(open_losses)
        yield from reports
