"""Store the outcomes and events of one execution in order, and in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mastra_core.errors import MastraError
from mastra_core.workflows.durable.store.run_rows import Batch, encode
from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunIdle,
    RunPaused,
    StepWrote,
)
from mastra_core.workflows.engine.run_record import Status
from mastra_core.workflows.engine.tasks import retrieve_exception

__all__ = ("Commit", "JournalWriter")

_EVENT_DELAY = 0.003  # seconds for which an event waits for others, unless an outcome follows

Commit = Callable[[Batch, list[RunEvent]], Awaitable[bool]]


class JournalWriter:
    """Collects outcomes, events and wakes for a moment, and stores them in one batch.

    :param run_id: the id of the run.
    :param commit: stores a batch and its events.
    :param max_events: the maximum number of events that are added.
    """

    def __init__(self, run_id: str, commit: Commit, max_events: int) -> None:
        self._run_id = run_id
        self._commit = commit
        self._free_events = max_events
        self._batch = Batch()
        self._events: list[RunEvent] = []
        self._lock = asyncio.Lock()
        self._flushing: asyncio.Task[None] | None = None
        self._failure: Exception | None = None  # of a commit that the store never accepts
        self._timer: asyncio.TimerHandle | None = None

    def add_outcome(self, key: str, outcome: Outcome) -> None:
        """Add an outcome, which is stored in one transaction with the events before it.

        :param key: the key of the call.
        :param outcome: the outcome.
        """
        self._batch.outcomes.append((key, encode(outcome)))
        self._schedule_flush()

    def add_wake(self, key: str, until: float) -> None:
        """Add the end of a sleep.

        :param key: the key of the wait.
        :param until: the time in seconds since the epoch.
        """
        self._batch.wakes.append((key, until))
        self._schedule_flush()

    def add_event(self, key: str, event: RunEvent) -> None:
        """Add an event.

        :param key: the key of the event; empty for an event that may repeat.
        :param event: the event.
        :raises MastraError: when the run has the maximum number of events.
        """
        self._append_event(key, event)
        self._schedule_flush()

    async def finish(self, event: RunFinished | RunPaused) -> None:
        """Store everything that is not stored yet, followed by the last event of the execution.

        :param event: the last event; afterwards, this process no longer holds the run.
        """
        self._free_events += 1  # the end is always recorded
        self._append_event("", event)
        self._batch.releases = True
        await self.flush()

    def has_unstored(self, *, events: bool) -> bool:
        """Return whether there are outcomes that are not stored yet.

        :param events: whether to check events in addition to outcomes.
        """
        batch = self._batch
        return bool(batch.outcomes) or self._flushing is not None or (events and bool(batch.events))

    async def flush(self) -> None:
        """Store everything that is not stored yet, even if the task is cancelled."""
        while self._batch.outcomes or self._batch.events or self._batch.wakes or self._flushing:
            if self._flushing is None:
                self._flushing = asyncio.create_task(self._flush())
            await asyncio.shield(self._flushing)
        if self._failure is not None:
            raise self._failure

    async def commit(self, batch: Batch, events: list[RunEvent]) -> bool:
        """Store a batch that the caller has filled, after the batch that is being stored.

        :param batch: the batch.
        :param events: the events of the batch.
        :returns: whether the batch was stored.
        """
        async with self._lock:
            return await self._commit(batch, events)

    def close(self) -> None:
        """Cancel the timer after which recorded outcomes and events are stored."""
        if self._timer is not None:
            self._timer.cancel()

    def _append_event(self, key: str, event: RunEvent) -> None:
        if self._free_events <= 0:
            raise MastraError(
                f"The run {self._run_id!r} has reached the maximum number of events for one run.",
                "Split the work into several runs, or increase DurableEngine(max_events=...).",
            )
        self._free_events -= 1
        self._batch.events.append((key, encode(event)))
        self._batch.status = _get_status(event) or self._batch.status
        self._events.append(event)

    def _schedule_flush(self) -> None:
        if self._timer is None and self._flushing is None:
            self._timer = asyncio.get_running_loop().call_later(_EVENT_DELAY, self._start_flush)

    def _start_flush(self) -> None:
        self._timer = None
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
            self._flushing.add_done_callback(retrieve_exception)

    async def _flush(self) -> None:
        try:
            async with self._lock:
                while self._batch.outcomes or self._batch.events or self._batch.wakes:
                    batch, self._batch = self._batch, Batch()
                    events, self._events = self._events, []
                    await self._commit(batch, events)
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._flushing = None


def _get_status(event: RunEvent) -> Status | None:
    """Return the status of the run after an event, or ``None`` if the event does not change it."""
    if isinstance(event, RunIdle | RunFinished):
        return event.status
    if isinstance(event, RunPaused):
        return "paused"
    return None if isinstance(event, StepWrote) else "running"
