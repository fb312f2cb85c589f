"""The journal of one execution in memory."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import RunEvent, RunIdle

if TYPE_CHECKING:
    import asyncio

__all__ = ("MemoryJournal",)


class MemoryJournal:
    """Remembers what one execution of a run has done; closed, it listens no more.

    :param note: told of every event, once.
    :param outcomes: what an earlier execution did, which is not done again.
    """

    __slots__ = ("_brought", "_note", "_slept", "_told", "_waiting", "closed", "outcomes", "run_id")

    def __init__(
        self, run_id: str, note: Callable[[RunEvent], None], outcomes: dict[str, Outcome]
    ) -> None:
        self.run_id = run_id
        self.outcomes = outcomes
        self.closed = False
        self._note = note
        self._brought: dict[str, Any] = {}
        self._slept: dict[str, float] = {}
        self._told: set[str] = set()
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    def close(self) -> None:
        """Listen no more. Without this a run and its journal would hold each other in memory."""
        self.closed = True
        self._note = _nobody

    def successor(
        self, note: Callable[[RunEvent], None], outcomes: dict[str, Outcome]
    ) -> MemoryJournal:
        """The journal of an execution that goes on from here.

        :param outcomes: what it need not do again.
        """
        journal = MemoryJournal(self.run_id, note, outcomes)
        journal._brought, journal._slept = self._brought, self._slept
        keys = (key.rpartition("#") for key, each in outcomes.items() if each.kind == "done")
        done = {place for place, _, turn in keys if turn.isdecimal()}
        journal._told = {key for key in self._told if key.rpartition(":")[0] in done}
        return journal

    def _past(self, key: str) -> bool:
        """A rest is none if something of what is waited for is there."""
        return any(wait in self._brought for wait in key.removeprefix("idle:").split("|"))

    async def step(self, key: str, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """What came of ``call``."""
        outcome = self.outcomes.get(key)
        if outcome is None:
            outcome = self.outcomes[key] = await call()
        return outcome

    async def wait(self, key: str) -> Any:
        """The data that resumes a step."""
        import asyncio

        if key in self._brought:
            return self._brought[key]
        self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._waiting[key]
        finally:
            del self._waiting[key]

    def bring(self, key: str, data: Any) -> None:
        """Hand a suspended step the data it waits for."""
        self._brought[key] = data
        future = self._waiting.get(key)
        if future is not None and not future.done():
            future.set_result(data)

    async def sleep(self, key: str, until: float) -> None:
        """Return at the time that was said first."""
        import asyncio

        until = self._slept.setdefault(key, until)
        await asyncio.sleep(max(0.0, until - time.time()))

    async def emit(self, key: str, event: RunEvent) -> None:
        """Remember and tell, once."""
        if self.closed or key in self._told or (type(event) is RunIdle and self._past(key)):
            return
        self._told.add(key)
        self._note(event)

    async def cancel(self) -> None:
        """Listen no more."""
        self.close()


def _nobody(event: RunEvent) -> None:
    """Whom a closed journal tells."""
