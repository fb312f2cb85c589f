"""How much of a run is under way: a run whose parts all wait is suspended, or asleep.

Every part that could go on is counted. What starts parts side by side hands its own place to
them, and takes it back from the last one that ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.workflows.engine.run_events import RunIdle
from mastra_core.workflows.engine.tasks import gather

if TYPE_CHECKING:
    from mastra_core.workflows.engine.journal import Journal

__all__ = ("Activity",)


class Activity:
    """Counts the parts of one execution that could go on, and knows what the others wait for."""

    __slots__ = ("_busy", "_journal", "_waits")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._busy = 1
        self._waits: dict[str, bool] = {}  # key: it ends by itself

    async def waiting(
        self, key: str, wait: Callable[[], Awaitable[Any]], *, asleep: bool = False
    ) -> Any:
        """Wait for what goes by ``key``, and tell if now nothing is under way.

        :param asleep: it ends by itself.
        """
        self._waits[key] = asleep
        try:
            await self._less()
            return await wait()
        finally:
            del self._waits[key]
            self._busy += 1

    async def together(self, jobs: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
        """The results of several parts side by side; the first failure cancels the others."""
        left = len(jobs)

        async def part(job: Callable[[], Awaitable[Any]]) -> Any:
            nonlocal left
            try:
                return await job()
            finally:
                left -= 1
                if left:
                    await self._less()

        self._busy += max(0, left - 1)
        return await gather([part(job) for job in jobs])

    async def _less(self) -> None:
        self._busy -= 1
        if not self._busy:
            status: Any = "waiting" if any(self._waits.values()) else "suspended"
            # What is waited for never is again, so no two moments of rest have one key.
            key = f"idle:{'|'.join(sorted(self._waits))}"
            await self._journal.emit(key, RunIdle(status=status))
