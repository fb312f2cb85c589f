"""Count the active parts of a run, to notice when all parts wait.

While a part waits for concurrent parts that it has started, only the concurrent parts are counted.
After the last concurrent part has ended, the part that started them is counted again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.workflows.engine.journal import build_idle_key
from mastra_core.workflows.engine.run_events import RunIdle
from mastra_core.workflows.engine.tasks import TurnLimit, gather

if TYPE_CHECKING:
    from mastra_core.workflows.engine.journal import Journal

__all__ = ("RunActivity",)


class RunActivity:
    """Counts the active parts of one execution, and records what the inactive parts wait for.

    :param journal: receives a ``RunIdle`` event when no part is active.
    :ivar turn_limit: limits the steps that all parts together begin in one turn of the event loop.
    """

    __slots__ = ("_active_count", "_deactivations", "_journal", "_waits", "turn_limit")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._active_count = 1
        self._deactivations = 0
        self.turn_limit = TurnLimit()
        self._waits: dict[str, bool] = {}  # by key: whether the wait ends by itself

    async def wait_for(
        self, key: str, wait: Callable[[], Awaitable[Any]], *, is_timer: bool = False
    ) -> Any:
        """Await ``wait`` and count this part as inactive; emit ``RunIdle`` if no part is active.

        :param key: the key of the wait.
        :param wait: waits.
        :param is_timer: whether the wait ends by itself, as a sleep does.
        :returns: the result of ``wait``.
        """
        self._waits[key] = is_timer
        try:
            await self._deactivate_part()
            return await wait()
        finally:
            del self._waits[key]
            self._active_count += 1

    async def run_concurrently(self, jobs: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
        """Run several parts concurrently; raise the first failure, and cancel the other parts.

        :param jobs: the parts.
        :returns: the results of the parts, in the order of ``jobs``.
        """
        held = len(jobs)

        async def run_part(job: Callable[[], Awaitable[Any]]) -> Any:
            nonlocal held
            result = await job()
            if held > 1:
                held -= 1
                await self._deactivate_part()
            return result

        self._active_count += max(0, held - 1)
        try:
            return await gather(run_part(job) for job in jobs)
        except BaseException:  # a failure ends all parts; the run is not idle meanwhile
            self._active_count -= max(0, held - 1)
            held = 1
            raise

    async def _deactivate_part(self) -> None:
        self._active_count -= 1
        if self._active_count:
            return
        self._deactivations += 1
        number = self._deactivations
        # If many parts wake and end together, the last one reports the idle run.
        await asyncio.sleep(0)
        if not self._active_count and number == self._deactivations:  # type: ignore[redundant-expr]  # changed while waiting
            status: Any = "waiting" if any(self._waits.values()) else "suspended"
            await self._journal.emit(build_idle_key(self._waits), RunIdle(status=status))
