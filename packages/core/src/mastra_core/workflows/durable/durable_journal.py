"""The journal of one execution in this process, which commits in order and with a fence."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec

from mastra_core.errors import MastraError
from mastra_core.schema import encode_json
from mastra_core.workflows.durable.store.run_rows import Batch, JournalData
from mastra_core.workflows.engine.journal import split_idle_key
from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunIdle,
    RunPaused,
    StepWrote,
)
from mastra_core.workflows.engine.run_options import BATCH_SIZE
from mastra_core.workflows.engine.run_record import Status

__all__ = ("DurableJournal", "encode")

_EVENT_DELAY = 0.003  # seconds for which an event waits for others, unless an outcome follows
_PARK_DELAY = 0.05  # seconds after which a run is released if all its parts sleep for long
_OUTCOME = msgspec.json.Decoder(Outcome)

Commit = Callable[[Batch, list[RunEvent]], Awaitable[bool]]


class DurableJournal:
    """Replays the stored outcomes, and stores new outcomes and events in batches.

    Before a call of a user's function, everything that the call depends on is stored. Events are
    stored a moment later, together with those that follow.

    :param run_id: the id of the run.
    :param data: the stored journal.
    :param commit: stores a batch and its events; returns ``False`` if the store has more answers
        than this execution has read. The function raises ``CancelledError`` if the process no
        longer holds the run.
    :param read_journal: reads the journal again.
    :param stop: called when the run was released, so that its steps can be stopped.
    :param position: the number of stored events.
    :param max_events: the maximum number of events of a run.
    :param park_after: a run that sleeps for more seconds than this is released.
    """

    def __init__(
        self,
        run_id: str,
        data: JournalData,
        commit: Commit,
        read_journal: Callable[[], Awaitable[JournalData]],
        stop: Callable[[], None],
        *,
        position: int,
        max_events: int,
        park_after: float,
    ) -> None:
        self.run_id = run_id
        self.closed = self.stopping = False
        self._data = data
        self._outcomes = {key: _OUTCOME.decode(text) for key, text in data.outcomes.items()}
        self._commit = commit
        self._read_journal = read_journal
        self._stop = stop
        self._free_events = max_events - position
        self._park_after = park_after
        self._sleeping: dict[str, float] = {}
        self._waiters: dict[str, asyncio.Event] = {}
        self._idle_waits: list[str] = []
        self._batch = Batch()
        self._events: list[RunEvent] = []
        self._lock = asyncio.Lock()
        self._flushing: asyncio.Task[None] | None = None
        self._failure: Exception | None = None  # of a commit that the store never accepts
        self._timer: asyncio.TimerHandle | None = None
        self._parking: asyncio.Task[None] | None = None

    async def call_once(self, key: str, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Return the outcome of ``key``; await ``call`` if there is none yet.

        :param key: the key of the call.
        :param call: a function that calls the user's function.
        """
        outcome = self._outcomes.get(key)
        if outcome is not None:
            return outcome
        await self.prepare()
        outcome = await call()
        self.record(key, outcome)
        return outcome

    @property
    def parts(self) -> DurableJournal:
        """The journal for the parts of steps."""
        return self

    def find(self, key: str) -> Outcome | None:
        """Return the outcome of ``key``, or ``None`` if there is none yet.

        :param key: the key of the call.
        """
        return self._outcomes.get(key)

    def has_emitted(self, key: str) -> bool:
        """Return whether an event was emitted.

        :param key: the key of the event.
        """
        return key in self._data.emitted

    async def prepare(self, *, events: bool = False) -> None:
        """Store all recorded outcomes, before a function of the user is called.

        :param events: whether to also store the events so far.
        """
        if self._batch.outcomes or self._flushing is not None or (events and self._batch.events):
            await self.flush()
        self._require_open()

    def record(self, key: str, outcome: Outcome) -> None:
        """Record an outcome; it is stored together with the events before it.

        :param key: the key of the call.
        :param outcome: the outcome.
        """
        self._require_open()
        if self.stopping and outcome.kind == "failed":  # the cancellation may be the cause
            raise asyncio.CancelledError
        if key in self._outcomes:  # two calls of one name; the first outcome stays
            return
        self._outcomes[key] = outcome
        self._batch.outcomes.append((key, encode(outcome)))
        self._schedule_flush()

    async def wait(self, key: str) -> Any:
        """Wait for the data that resumes a suspended step, and return the data.

        :param key: the key of the wait.
        """
        if key not in self._data.answers:
            signal = self._waiters[key] = asyncio.Event()
            try:
                await signal.wait()
            finally:
                del self._waiters[key]
        return msgspec.json.decode(self._data.answers[key])

    async def sleep(self, key: str, until: float) -> None:
        """Sleep until a time.

        :param key: the key of the wait.
        :param until: the time in seconds since the epoch. If the method is called again with the
            same key, also in another process, the first time applies.
        """
        if key not in self._data.wakes and not self.closed:
            self._data.wakes[key] = until
            self._batch.wakes.append((key, until))
            self._schedule_flush()
        until = self._data.wakes.get(key, until)
        self._sleeping[key] = until
        try:
            await asyncio.sleep(max(0.0, until - time.time()))
        finally:
            del self._sleeping[key]

    async def emit(self, key: str, event: RunEvent) -> None:
        """Record an event, once for each key.

        :param key: the key of the event.
        :param event: the event.
        :raises MastraError: when the run has the maximum number of events.
        """
        if self.closed or key in self._data.emitted:
            return
        if type(event) is RunIdle:
            await self._rest(key, event)
            return
        if key:
            self._data.emitted.add(key)
        self._add_event(key, event)
        self._schedule_flush()

    def close(self) -> None:
        """Ignore all further events and outcomes."""
        self.closed = True
        for handle in (self._timer, self._parking):
            if handle is not None:
                handle.cancel()
        self._stop = _do_nothing

    async def finish(self, event: RunFinished | RunPaused) -> None:
        """Store the end of the execution, so that this process no longer holds the run.

        :param event: the last event.
        """
        self._free_events += 1  # the end is always recorded
        self._add_event("", event)
        self._batch.releases = self.closed = True
        await self.flush()
        self.close()

    async def flush(self) -> None:
        """Store all outcomes and events that are not stored yet, even if the task is cancelled."""
        while self._batch.outcomes or self._batch.events or self._batch.wakes or self._flushing:
            if self._flushing is None:
                self._flushing = asyncio.create_task(self._flush())
            await asyncio.shield(self._flushing)
        if self._failure is not None:
            raise self._failure

    async def add_answers(self) -> None:
        """Read the answers of resumed waits, and wake the steps that wait for them."""
        data = await self._read_journal()
        new = [key for key in data.answers if key not in self._data.answers]
        self._data.answers.update({key: data.answers[key] for key in new})
        self._data.answer_count = max(self._data.answer_count, data.answer_count)
        await self._wake(new)

    async def store_answers(self, keys: Sequence[str], data: str, answer_count: int) -> None:
        """Continue the steps whose waits this process has resumed.

        :param keys: the keys of the waits.
        :param data: the JSON of the data that resumes the waits.
        :param answer_count: the number of answers in the store.
        """
        if answer_count != self._data.answer_count + len(keys):  # other processes resume waits too
            await self.add_answers()
            return
        self._data.answers.update(dict.fromkeys(keys, data))
        self._data.answer_count = answer_count
        await self._wake(keys)

    @property
    def answer_count(self) -> int:
        """The number of resumed waits that this execution has read."""
        return self._data.answer_count

    async def _wake(self, keys: Iterable[str]) -> None:
        """Wake suspended steps in batches, so that the event loop can do other work."""
        for number, key in enumerate(keys, 1):
            if signal := self._waiters.get(key):
                signal.set()
            if number % BATCH_SIZE == 0:
                await asyncio.sleep(0)

    def _add_event(self, key: str, event: RunEvent) -> None:
        if self._free_events <= 0:
            raise MastraError(
                f"The run {self.run_id!r} has reached the maximum number of events for one run.",
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
        if self._flushing is None and not self.closed:
            self._flushing = asyncio.create_task(self._flush())
            self._flushing.add_done_callback(_retrieve_exception)

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

    async def _rest(self, key: str, event: RunIdle) -> None:
        """Record that all parts of the run wait; release the run unless a part continues soon."""
        waits = split_idle_key(key)
        if any(wait in self._data.answers for wait in waits):
            return
        if event.status == "suspended":
            await self._park(waits, [event])
            return
        self._add_event("", event)
        self._schedule_flush()
        self._idle_waits = waits
        if self._parking is None or self._parking.done():
            self._parking = asyncio.create_task(self._park_if_idle())
            self._parking.add_done_callback(_retrieve_exception)

    async def _park_if_idle(self) -> None:
        """Release the run, so that it takes no memory, if all its parts sleep for a long time."""
        await asyncio.sleep(_PARK_DELAY)
        resting = {*self._sleeping, *self._waiters}
        # The timeout of a workflow does not count: no part of the run waits for it.
        ends = [until for key, until in self._sleeping.items() if key in self._idle_waits]
        is_long = min(ends, default=math.inf) - time.time() > self._park_after
        if is_long and resting.issuperset(self._idle_waits):
            await self._park(self._idle_waits, [])

    async def _park(self, waits: list[str], events: list[RunEvent]) -> None:
        """Release a run whose parts all wait, unless one of its waits was resumed meanwhile."""
        await self.flush()
        # No answer can come between this look at the waits and the number of answers in the batch.
        while not any(wait in self._data.answers for wait in waits):
            if await self._try_park(events):
                stop = self._stop
                self.close()
                stop()
                return
            await self.add_answers()

    async def _try_park(self, events: list[RunEvent]) -> bool:
        """Release the run, unless there is a resumed wait that this execution has not read."""
        self._require_open()
        batch = Batch(releases=True, answers=self._data.answer_count)
        batch.events = [("", encode(event)) for event in events]
        batch.status = "suspended" if events else None
        if self._sleeping:
            batch.due_in = max(0, int((min(self._sleeping.values()) - time.time()) * 1000) + 1)
        async with self._lock:
            return await self._commit(batch, events)

    def _require_open(self) -> None:
        if self.closed:
            raise asyncio.CancelledError


def encode(value: Any) -> str:
    """Return the JSON of a value.

    :param value: a struct of JSON builtins.
    """
    return encode_json(value).decode()


def _get_status(event: RunEvent) -> Status | None:
    """Return the status of the run after an event, or ``None`` if the event does not change it."""
    if isinstance(event, RunIdle | RunFinished):
        return event.status
    if isinstance(event, RunPaused):
        return "paused"
    return None if isinstance(event, StepWrote) else "running"


def _retrieve_exception(task: asyncio.Task[None]) -> None:
    """Retrieve the exception of a task; another place reports the exception."""
    if not task.cancelled():
        task.exception()


def _do_nothing() -> None:
    """Do nothing, as the callback of a closed journal."""
