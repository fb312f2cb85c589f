"""How much of a run is under way: a run whose parts all wait is suspended, or asleep.

Every part that could go on is counted. What starts parts side by side hands its own place to
them, and takes it back from the last one that ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.workflows.events import RunIdle
from mastra_core.workflows.tasks import gather

if TYPE_CHECKING:
    from mastra_core.workflows.journal import Journal

__all__ = ("Activity",)


class Activity:
    """Counts the parts of one execution that could go on."""

    __slots__ = ("_asleep", "_busy", "_idle", "_journal")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._busy = 1
        self._asleep = self._idle = 0

    async def waiting(self, what: Awaitable[Any], *, asleep: bool = False) -> Any:
        """Wait for ``what``, and tell if now nothing is under way.

        :param asleep: it ends by itself.
        """
        self._asleep += asleep
        try:
            await self._less()
            try:
                return await what
            finally:
                self._busy += 1
        finally:
            self._asleep -= asleep

    async def together(self, jobs: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        """The results of several parts side by side; the first failure cancels the others."""
        left = len(jobs)

        async def part(job: Coroutine[Any, Any, Any]) -> Any:
            nonlocal left
            try:
                return await job
            finally:
                left -= 1
                if left:
                    await self._less()

        self._busy += max(0, left - 1)
        return await gather([part(job) for job in jobs])

    async def _less(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._idle += 1
            status: Any = "waiting" if self._asleep else "suspended"
            await self._journal.emit(f"idle:{self._idle}", RunIdle(status=status))
