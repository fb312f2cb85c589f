"""One run of the memory engine, with its events and their readers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.errors import MastraError
from mastra_core.limits.memory_size import estimate_context_size, estimate_size
from mastra_core.metrics.recording import is_recording
from mastra_core.request_scope import Signal, cancel_task, create_signal
from mastra_core.workflows.engine.memory_journal import MemoryJournal
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunPaused,
    RunRewound,
    RunStarted,
    StepEnded,
    StepResumed,
    StepRetried,
    StepStarted,
    StepSuspended,
    StepWrote,
)
from mastra_core.workflows.engine.run_options import BATCH_SIZE, RunOptions, StartPoint
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.engine.workflow_metrics import measure_event
from mastra_core.workflows.model.workflow import Workflow

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ("BLOCK_SIZE", "MemoryRun")

BLOCK_SIZE = 16_384  # bytes that are counted at a time, so that most events count none
_RUN_SIZE = 4096  # bytes of a run without data
_EVENT_SIZE = 512  # bytes of an event and its part of the record, without data
_DATA_FIELDS: dict[type, tuple[str, ...]] = {
    RunStarted: ("input", "state"),
    RunRewound: ("outputs",),
    RunPaused: ("state",),
    RunFinished: ("result", "error", "state"),
    StepStarted: ("payload",),
    StepSuspended: ("payload",),
    StepResumed: ("data",),
    StepWrote: ("chunk",),
    StepRetried: ("error",),
    StepEnded: ("output", "error"),
}


class MemoryRun:
    """A run in memory, as a handle for its callers.

    :param workflow: the workflow.
    :param record: the record of the run, which each event of the run updates.
    :param max_events: the maximum number of events.
    :param caller: the caller whose limits apply to the run; empty for the application itself.
    :param scope: the resource that the creator is confined to; empty if it is not confined.
    :param reserve: called with the new size of the run in bytes; raises an exception if the size is
        too large.

    ``number`` counts the runs of the engine in the order of their creation. ``trace`` holds the ids
    of the latest execution's span, if there is one. ``size`` is the estimated memory of the run in
    bytes. ``reserved`` is the number of bytes that the store counts for the unfinished run. A
    suspended run whose execution has ended has no task; ``replay_options`` are the options of the
    next execution.
    """

    __slots__ = (
        "__weakref__", "_context_size", "_events", "_latest_data", "_max_events", "_reserve",
        "_start_size", "_waiters", "_watchers", "awaits_execution", "caller", "context", "journal",
        "key", "number", "record", "replay_options", "reserved", "resumed_by", "run_id", "size",
        "start_point", "task", "trace", "workflow",
    )  # fmt: skip

    def __init__(
        self,
        workflow: Workflow,
        record: RunRecord,
        max_events: int,
        caller: str,
        scope: str,
        reserve: Callable[[MemoryRun, int], None],
    ) -> None:
        self.workflow = workflow
        self.record = record
        self.run_id = record.run_id
        self.key = (workflow.id, record.run_id, scope)
        self.journal = MemoryJournal(record.run_id, self.add_event, self.count_bytes, {})
        self.start_point: StartPoint | None = None
        self.task: asyncio.Task[None] | None = None
        self.replay_options: RunOptions | None = None
        self.awaits_execution = False
        self.context: dict[str, Any] = {}
        self.trace: dict[str, str] = {}
        self.resumed_by: dict[str, str] = {}
        self.caller = caller
        self.number = 0
        self.size = _RUN_SIZE + len(record.run_id) + len(record.resource_id)
        self.reserved = self._context_size = self._start_size = 0
        self._reserve = reserve
        self._latest_data: Any = None
        self._events: list[RunEvent] = []
        self._max_events = max_events
        self._waiters: list[Signal] = []
        self._watchers: set[Signal] = set()

    @property
    def position(self) -> int:
        """The number of events, which is the offset of the next event."""
        return len(self._events)

    def begin(
        self, event: RunEvent, start_point: StartPoint | None, state: dict[str, Any] | None
    ) -> None:
        """Record the beginning of an execution.

        :param event: the first event of the execution.
        :param start_point: the step in which the execution begins; ``None`` for the first one.
        :param state: the shared state; empty if ``event`` or the record of the run contains it.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory.
        """
        if start_point is not None or state or self._start_size:
            size = _measure_start(start_point, state)
            self.count_bytes(size - self._start_size)
            self._start_size = size
        self.start_point, self.trace = start_point, {}
        self.add_event(event)

    def replace_context(self, context: Mapping[str, Any] | None) -> None:
        """Replace the request context in place, because the steps hold a reference to the mapping.

        :param context: the new request context; the previous one stays if it is empty.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory.
        """
        if not context:
            return
        size = estimate_context_size(context)
        self.count_bytes(size - self._context_size)
        self._context_size = size
        self.context.clear()
        self.context.update(context)

    async def resume_steps(self, steps: Sequence[str], data: Any) -> None:
        """Record that suspended steps are resumed, and wake them in batches.

        All data is stored before the first step continues, because the run could otherwise be
        suspended again after this step.

        :param steps: the paths of the steps.
        :param data: the data that resumes the steps, as JSON builtins.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory.
        """
        import asyncio

        journal, keys = self.journal, []
        try:
            for path in steps:
                if self.record.open.get(path) != "suspended" or journal.closed:
                    continue  # another caller has resumed the step, or canceled the run
                self.add_event(StepResumed(step=path, data=data))
                keys.append(self.record.steps[path].key)
                journal.store_resume_data(keys[-1], data)
                if len(keys) % BATCH_SIZE == 0:
                    await asyncio.sleep(0)
        finally:
            journal.wake(keys)

    def count_bytes(self, size: int) -> None:
        """Count bytes that the run takes in addition to its events.

        :param size: the number of bytes; negative if the run takes fewer bytes than before.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory.
        """
        size += self.size
        if not self.reserved - BLOCK_SIZE < size <= self.reserved:
            self._reserve(self, size)
        self.size = size

    def add_event(self, event: RunEvent) -> None:
        """Record an event and wake the readers of the run.

        :param event: the event.
        :raises MastraError: when the run has the maximum number of events.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory.
        """
        is_end = type(event) is RunFinished
        if len(self._events) >= self._max_events and not is_end:
            raise MastraError(
                f"The run has reached the maximum of {self._max_events} events.",
                "Split the work into several runs, or increase MemoryEngine(max_events=...).",
            )
        size = self.size + self._measure(event)
        if size > self.reserved and not is_end:  # the end is always recorded
            self._reserve(self, size)
        self.size = size
        self._events.append(event)
        self.record.apply(event)
        if is_recording():
            measure_event(self.workflow.id, self.key, event)
        for watcher in self._watchers:
            watcher.set()
        if self._waiters and self.record.is_settled:
            for waiter in self._waiters:
                waiter.set()
            self._waiters.clear()

    def _measure(self, event: RunEvent) -> int:
        """Estimate the bytes of an event, except data that the previous event already holds."""
        size = _EVENT_SIZE
        for name in _DATA_FIELDS.get(type(event), ()):
            data = getattr(event, name)
            if data and data is not self._latest_data:
                size += estimate_size(data)
                self._latest_data = data
        return size

    def end_execution(self) -> None:
        """End the present execution of a suspended run, so that its request can end.

        The next ``resume`` executes the run again, and takes the outcomes of earlier calls from the
        journal, so that no call is repeated.
        """
        self.journal.close()
        task, self.task = self.task, None
        self.awaits_execution = True
        if task is not None:
            cancel_task(task)

    def reopen_journal(self) -> None:
        """Reopen the journal of a run without an execution, so that it receives the resume data."""
        if self.awaits_execution:
            self.awaits_execution = False
            self.journal = self.journal.reopen(self.add_event, self.count_bytes)

    def stop(self) -> None:
        """Cancel the present execution, if any, and ignore its further events."""
        self.awaits_execution = False
        self.journal.close()
        task, self.task = self.task, None
        if task is not None and not task.done():
            cancel_task(task)

    async def wait(self) -> RunRecord:
        """Wait until the run has finished, is paused, or waits for ``resume``.

        :returns: the record of the run.
        """
        while not self.record.is_settled:
            settled = create_signal()
            self._waiters.append(settled)
            try:
                await settled.wait()
            finally:
                if settled in self._waiters:
                    self._waiters.remove(settled)
        return self.record

    async def iter_events(
        self, offset: int = 0, *, until_finished: bool = False
    ) -> AsyncIterator[RunEvent]:
        """Yield the events of the run, until it has ended, is paused or waits for ``resume``.

        :param offset: the number of events to skip.
        :param until_finished: whether to continue while the run is paused or suspended, until it
            has finished.
        """
        import asyncio

        changed = create_signal()
        self._watchers.add(changed)
        try:
            while True:
                while offset < len(self._events):
                    offset += 1
                    yield self._events[offset - 1]
                    if offset % BATCH_SIZE == 0:
                        await asyncio.sleep(0)  # a fast reader must not block the event loop
                if self.record.is_finished if until_finished else self.record.is_settled:
                    return
                changed.clear()
                await changed.wait()
        finally:
            self._watchers.discard(changed)


def _measure_start(start_point: StartPoint | None, state: dict[str, Any] | None) -> int:
    """Estimate the bytes of the input and state of an execution."""
    size = estimate_size(state) if state else 0
    if start_point is not None:
        size += estimate_size((start_point.values, start_point.resume_data))
    return size
