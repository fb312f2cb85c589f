"""One run of the memory engine, with its events and their readers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from mastra_core.errors import MastraError
from mastra_core.workflows.engine.memory_journal import MemoryJournal
from mastra_core.workflows.engine.run_events import RunEvent, RunFinished
from mastra_core.workflows.engine.run_options import StartPoint
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.model.workflow import Workflow

if TYPE_CHECKING:
    import asyncio

__all__ = ("MemoryRun",)


class MemoryRun:
    """The handle for one run in memory.

    :param workflow: the workflow.
    :param record: the record of the run, which its events change.
    :param max_events: the maximum number of events.

    ``trace`` holds the ids of the span of the latest execution, where there is one.
    """

    __slots__ = (
        "__weakref__", "_events", "_max_events", "_waiters", "_watchers", "context", "journal",
        "key", "record", "run_id", "start_point", "task", "trace", "workflow",
    )  # fmt: skip

    def __init__(self, workflow: Workflow, record: RunRecord, max_events: int) -> None:
        self.workflow = workflow
        self.record = record
        self.run_id = record.run_id
        self.key = (workflow.id, record.run_id)
        self.journal = MemoryJournal(record.run_id, self.add_event, {})
        self.start_point: StartPoint | None = None
        self.task: asyncio.Task[None] | None = None
        self.context: dict[str, Any] = {}
        self.trace: dict[str, str] = {}
        self._events: list[RunEvent] = []
        self._max_events = max_events
        self._waiters: list[asyncio.Future[None]] = []
        self._watchers: set[asyncio.Event] = set()

    @property
    def position(self) -> int:
        """The number of events, which is the offset of the next one."""
        return len(self._events)

    def begin(self, event: RunEvent, start_point: StartPoint | None) -> None:
        """Record the beginning of an execution.

        :param event: its first event.
        :param start_point: the step it begins in; ``None`` for the first one.
        """
        self.start_point, self.trace = start_point, {}
        self.add_event(event)

    def add_event(self, event: RunEvent) -> None:
        """Record an event and wake the readers of the run.

        :param event: the event.
        :raises MastraError: when the run has the maximum number of events.
        """
        if len(self._events) >= self._max_events and not isinstance(event, RunFinished):
            raise MastraError(
                f"The run has more than {self._max_events} events, the maximum for one run.",
                "Split the work into several runs, or raise MemoryEngine(max_events=...).",
            )
        self._events.append(event)
        self.record.apply(event)
        for watcher in self._watchers:
            watcher.set()
        if self._waiters and self.record.is_settled:
            for future in self._waiters:
                if not future.done():
                    future.set_result(None)
            self._waiters.clear()

    async def stop(self) -> None:
        """Cancel the present execution, if there is one, and ignore its further events."""
        await self.journal.cancel()
        task, self.task = self.task, None
        if task is not None and not task.done():
            task.cancel()

    async def wait(self) -> RunRecord:
        """Wait until the run has finished, is paused, or waits for ``resume``.

        :returns: the record of the run.
        """
        import asyncio

        while not self.record.is_settled:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(future)
            try:
                await future
            finally:
                if future in self._waiters:
                    self._waiters.remove(future)
        return self.record

    async def iter_events(
        self, offset: int = 0, *, until_finished: bool = False
    ) -> AsyncIterator[RunEvent]:
        """Yield the events of the run until it has finished, is paused or waits for ``resume``.

        :param offset: the number of events to skip.
        :param until_finished: whether to go on until the run has finished.
        """
        import asyncio

        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            while True:
                while offset < len(self._events):
                    offset += 1
                    yield self._events[offset - 1]
                if self.record.is_finished if until_finished else self.record.is_settled:
                    return
                changed.clear()
                await changed.wait()
        finally:
            self._watchers.discard(changed)
