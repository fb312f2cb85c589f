"""Count spans that were exported, and spans that were lost."""

from __future__ import annotations

__all__ = ("ExportCounts",)


class ExportCounts:
    """The numbers of the exported and of the lost spans of this process.

    The attribute ``exported`` is the number of exported spans, and ``dropped`` that of lost spans.
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
