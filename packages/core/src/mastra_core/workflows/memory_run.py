"""One run of the memory engine: its events, what it waits for, and who watches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mastra_core.schema import dump
from mastra_core.workflows.record import RunEvent, RunFinished, RunRecord, StepResumed
from mastra_core.workflows.workflow import Workflow

if TYPE_CHECKING:
    import asyncio

__all__ = ("MemoryRun",)


class MemoryRun:
    """One run in memory: at once the handle and the journal."""

    def __init__(self, workflow: Workflow, record: RunRecord) -> None:
        self.workflow = workflow
        self.record = record
        self.run_id = record.run_id
        self.key = (workflow.id, record.run_id)
        self.task: asyncio.Task[None] | None = None
        self.context: dict[str, Any] = {}
        self._events: list[RunEvent] = []
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._watchers: set[asyncio.Event] = set()

    @property
    def position(self) -> int:
        """How many events there are: the offset of the next one."""
        return len(self._events)

    async def step(self, key: str, call: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ARG002  # the journal's signature
        """The result of ``call``; nothing is replayed in memory."""
        return await call()

    async def wait(self, key: str) -> Any:
        """The data that resumes the step ``key``."""
        import asyncio

        future = self._waiting.setdefault(key, asyncio.get_running_loop().create_future())
        try:
            return await future
        finally:
            del self._waiting[key]

    async def emit(self, event: RunEvent) -> None:
        """Remember and tell."""
        self.note(event)

    async def cancel(self) -> None:
        """End the run from outside."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
        if not self.record.finished:
            self.note(RunFinished(status="canceled"))

    def note(self, event: RunEvent) -> None:
        """Remember what happened and wake whoever watches; nothing follows the end of a run."""
        if self.record.finished:  # a cancelled step may still be on its way out
            return
        self._events.append(event)
        self.record.apply(event)
        for watcher in self._watchers:
            watcher.set()

    def bring(self, step: str, data: Any) -> None:
        """Hand a suspended step the data it waits for."""
        import asyncio

        self.note(StepResumed(step=step, data=dump(data)))
        loop = asyncio.get_running_loop()
        self._waiting.setdefault(step, loop.create_future()).set_result(data)

    async def settled(self) -> RunRecord:
        """Wait until the run has finished or is suspended."""
        async for _ in self.events(self.position):
            pass
        return self.record

    async def events(self, offset: int = 0) -> AsyncIterator[RunEvent]:
        """Its events from ``offset`` on, ending when the run has settled."""
        import asyncio

        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            while True:
                while offset < len(self._events):
                    offset += 1
                    yield self._events[offset - 1]
                if self.record.status not in ("pending", "running"):
                    return
                changed.clear()
                await changed.wait()
        finally:
            self._watchers.discard(changed)
