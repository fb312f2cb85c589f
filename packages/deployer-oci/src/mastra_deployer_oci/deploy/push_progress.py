"""Count the bytes of a push."""

from __future__ import annotations

import threading

from mastra_core.pipeline import Report

__all__ = ("PushProgress",)


class PushProgress:
    """Counts the pushed bytes of all blobs together.

    :param report: receives the number of pushed bytes.
    :param total: bytes of all blobs to push.
    """

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total, self._done = report, total, 0
        self._lock = threading.Lock()
        report.advance(0, total)

    def add(self, size: int) -> None:
        """Add bytes that the registry received.

        :param size: number of bytes.
        """
        with self._lock:
            self._done += size
            self._report.advance(self._done, self._total)

    def exclude(self, size: int) -> None:
        """Reduce the total by bytes that need not be sent.

        :param size: number of bytes.
        """
        with self._lock:
            self._total -= size
            self._report.advance(self._done, self._total)
