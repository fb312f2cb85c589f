"""Count spans that were exported, and spans that were lost."""

from __future__ import annotations

__all__ = ("ExportCounts",)


class ExportCounts:
    """The number of spans that this process has exported, and the number that it has lost.

    The attribute ``dropped`` counts the lost spans.
    """

    def __init__(self) -> None:
        self.exported = 0
        self.dropped = 0

    def add(self, result: str, count: int) -> None:
        """Add to the numbers of exported and lost spans.

        :param result: ``exported`` or ``dropped``.
        :param count: the number of spans to add.
        """
        setattr(self, result, getattr(self, result) + count)
        from mastra_core.metrics.definitions import SPANS
        from mastra_core.metrics.recording import is_recording, record

        if is_recording():
            record(SPANS, count, result)
