"""Count spans that were exported, and spans that were lost."""

from __future__ import annotations

__all__ = ("ExportCounts",)


class ExportCounts:
    """How many spans of this process were exported, and how many were lost.

    ``exported`` and ``dropped`` are the numbers.
    """

    def __init__(self) -> None:
        self.exported = 0
        self.dropped = 0

    def add(self, result: str, count: int) -> None:
        """Add to the numbers of exported and lost spans.

        :param result: ``exported`` or ``dropped``.
        :param count: how many.
        """
        setattr(self, result, getattr(self, result) + count)
        from mastra_core.metrics.definitions import SPANS
        from mastra_core.metrics.recording import is_recording, record

        if is_recording():
            record(SPANS, count, result)
