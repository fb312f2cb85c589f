"""The default storage: in the memory of this process, with a maximum size."""

from __future__ import annotations

from mastra_core.agents.suspended_runs import MemorySuspendedRuns, SuspendedRuns
from mastra_core.arguments.number_checks import check_count
from mastra_core.storage.in_memory_threads import MemoryThreads
from mastra_core.storage.protocol import ThreadStore

__all__ = ("MemoryStorage",)


class MemoryStorage:
    """Stores everything in this process; the data is lost when the process ends.

    :param max_threads: maximum number of threads; the same maximum applies to the notes of working
        memory. The threads and notes that were changed least recently are removed first.
    :param max_messages: maximum number of messages of one thread. The oldest messages are removed
        first.
    :param max_bytes: maximum size of all threads together, and of all notes together.
    :raises ConfigError: for a number below 1.
    """

    single_process = True

    def __init__(
        self,
        *,
        max_threads: int = 10_000,
        max_messages: int = 1_000,
        max_bytes: int = 268_435_456,
    ) -> None:
        check_count("max_threads", max_threads, least=1)
        check_count("max_messages", max_messages, least=1)
        check_count("max_bytes", max_bytes, least=1)
        self.threads: ThreadStore = MemoryThreads(max_threads, max_messages, max_bytes)
        self.suspended_runs: SuspendedRuns = MemorySuspendedRuns()

    async def open(self) -> None:
        """Do nothing, because no resource is needed."""

    async def close(self) -> None:
        """Do nothing, because no resource is open; keep the data."""
