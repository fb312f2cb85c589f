"""The default storage: this process, bounded."""

from __future__ import annotations

from mastra_core.agents.suspended_runs import MemorySuspendedRuns, SuspendedRuns
from mastra_core.storage.in_memory_threads import MemoryThreads
from mastra_core.storage.protocol import ThreadStore

__all__ = ("MemoryStorage",)


class MemoryStorage:
    """Keeps everything in this process, and nothing after its end.

    :param max_threads: the most that are kept; the one that is longest without a change goes
        first. So many notes of working memory are kept, too.
    :param max_messages: the most of one thread; the oldest go first.
    """

    single_process = True

    def __init__(self, *, max_threads: int = 10_000, max_messages: int = 1_000) -> None:
        self.threads: ThreadStore = MemoryThreads(max_threads, max_messages)
        self.suspended_runs: SuspendedRuns = MemorySuspendedRuns()

    async def open(self) -> None:
        """Nothing is needed."""

    async def close(self) -> None:
        """Nothing is held that others want; what is kept stays."""
