"""One run of the memory engine: its events, and who watches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from mastra_core.errors import MastraError
from mastra_core.workflows.engine.memory_journal import MemoryJournal
from mastra_core.workflows.engine.run_events import RunEvent, RunFinished
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.engine.start import Start
from mastra_core.workflows.model.workflow import Workflow

if TYPE_CHECKING:
    import asyncio

__all__ = ("MemoryRun",)


class MemoryRun:
    """The handle on a run in memory.

    :param workflow: what it executes.
    :param most: how many events it may have.

    ``trace`` has the ids of the span of its latest execution, where there is one.
    """

    __slots__ = (
        "__weakref__", "_events", "_most", "_settling", "_watchers", "context", "journal", "key",
        "record", "run_id", "start", "task", "trace", "workflow",
    )  # fmt: skip

    def __init__(self, workflow: Workflow, record: RunRecord, most: int) -> None:
        self.workflow = workflow
        self.record = record
        self.run_id = record.run_id
        self.key = (workflow.id, record.run_id)
        self.journal = MemoryJournal(record.run_id, self.note, {})
        self.start: Start | None = None
        self.task: asyncio.Task[None] | None = None
        self.context: dict[str, Any] = {}
        self.trace: dict[str, str] = {}
        self._events: list[RunEvent] = []
        self._most = most
        self._settling: list[asyncio.Future[None]] = []
        self._watchers: set[asyncio.Event] = set()

    @property
    def position(self) -> int:
        """How many events there are: the offset of the next one."""
        return len(self._events)

    def begin(self, event: RunEvent, start: Start | None) -> None:
        """Another execution begins."""
        self.start, self.trace = start, {}
        self.note(event)

    def note(self, event: RunEvent) -> None:
        """Remember what happened and wake whoever watches.

        :raises MastraError: when that is more than a run may keep.
        """
        if len(self._events) >= self._most and not isinstance(event, RunFinished):
            raise MastraError(
                f"The run has more than {self._most} events, the most this server keeps of one.",
                "Make several runs of it, or raise MemoryEngine(max_events=...).",
            )
        self._events.append(event)
        self.record.apply(event)
        for watcher in self._watchers:
            watcher.set()
        if self._settling and self.record.settled:
            for future in self._settling:
                if not future.done():
                    future.set_result(None)
            self._settling.clear()

    async def stop(self) -> None:
        """End the execution, if one is under way; what it still says is not heard."""
        await self.journal.cancel()
        task, self.task = self.task, None
        if task is not None and not task.done():
            task.cancel()

    async def settled(self) -> RunRecord:
        """Wait until the run has finished or is suspended."""
        import asyncio

        while not self.record.settled:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._settling.append(future)
            try:
                await future
            finally:
                if future in self._settling:
                    self._settling.remove(future)
        return self.record

    async def events(self, offset: int = 0, *, through: bool = False) -> AsyncIterator[RunEvent]:
        """Its events from ``offset`` on, ending when the run has settled.

        :param through: go on through every rest until it has finished.
        """
        import asyncio

        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            while True:
                while offset < len(self._events):
                    offset += 1
                    yield self._events[offset - 1]
                if self.record.finished if through else self.record.settled:
                    return
                changed.clear()
                await changed.wait()
        finally:
            self._watchers.discard(changed)
