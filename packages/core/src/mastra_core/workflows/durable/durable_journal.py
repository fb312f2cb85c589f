"""The journal of one execution of a durable run, in which the run waits and sleeps."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec

from mastra_core.database.unreadable_data import build_unreadable_error
from mastra_core.workflows.durable.journal_writer import Commit, JournalWriter
from mastra_core.workflows.durable.store.run_rows import Batch, JournalData, encode
from mastra_core.workflows.engine.journal import split_idle_key
from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import RunEvent, RunFinished, RunIdle, RunPaused
from mastra_core.workflows.engine.run_options import BATCH_SIZE
from mastra_core.workflows.engine.tasks import retrieve_exception

__all__ = ("DurableJournal", "decode_outcomes")

_RELEASE_DELAY = 0.05  # seconds after which a run is released if all its parts sleep for long
_OUTCOME = msgspec.json.Decoder(Outcome)


class DurableJournal:
    """Replays the stored outcomes, and stores new outcomes and events in batches.

    Before the engine calls a user's function, the journal stores all data that the call depends on.
    Events are stored in batches, a moment after they were recorded.

    :param run_id: the id of the run.
    :param data: the stored journal.
    :param commit: stores a batch and its events; returns ``False`` if the store has more answers
        than this execution has read. The function raises ``CancelledError`` if the process no
        longer holds the run.
    :param read_journal: reads the stored journal.
    :param stop: stops the steps of the run; called after this process has released the run.
    :param position: the number of stored events.
    :param max_events: the maximum number of events of a run.
    :param release_after: if a run sleeps for more seconds than this, the process releases it.
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
        release_after: float,
    ) -> None:
        self.run_id = run_id
        self.closed = self.stopping = False
        self._data = data
        self._outcomes = decode_outcomes(run_id, data)
        self._writer = JournalWriter(run_id, commit, max_events - position)
        self._read_journal = read_journal
        self._stop = stop
        self._release_after = release_after
        self._sleeping: dict[str, float] = {}
        self._waiters: dict[str, asyncio.Event] = {}
        self._idle_waits: list[str] = []
        self._release_task: asyncio.Task[None] | None = None

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
        """The journal that records parts of steps, such as the model calls of an agent."""
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
        """Store all recorded outcomes, so that the user code called next can rely on them.

        :param events: whether to also store the events so far.
        """
        if self._writer.has_unstored(events=events):
            await self._writer.flush()
        self._require_open()

    def record(self, key: str, outcome: Outcome) -> None:
        """Record an outcome, which is stored in one transaction with the events before it.

        :param key: the key of the call.
        :param outcome: the outcome.
        """
        self._require_open()
        if self.stopping and outcome.kind == "failed":  # the cancellation may be the cause
            raise asyncio.CancelledError
        if key in self._outcomes:  # two calls of one name; the first outcome stays
            return
        self._outcomes[key] = outcome
        self._writer.add_outcome(key, outcome)

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
        :param until: the time in seconds since the epoch. A later call with the same key, even in
            another process, keeps the time of the first call.
        """
        if key not in self._data.wakes and not self.closed:
            self._data.wakes[key] = until
            self._writer.add_wake(key, until)
        until = self._data.wakes.get(key, until)
        self._sleeping[key] = until
        try:
            await asyncio.sleep(max(0.0, until - time.time()))
        finally:
            del self._sleeping[key]

    async def emit(self, key: str, event: RunEvent) -> None:
        """Record an event, unless an event with the same key exists.

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
        self._writer.add_event(key, event)

    def close(self) -> None:
        """Ignore all further events and outcomes."""
        self.closed = True
        self._writer.close()
        if self._release_task is not None:
            self._release_task.cancel()
        self._stop = _do_nothing

    async def finish(self, event: RunFinished | RunPaused) -> None:
        """Store the end of the execution, so that this process no longer holds the run.

        :param event: the last event.
        """
        self.closed = True
        await self._writer.finish(event)
        self.close()

    async def flush(self) -> None:
        """Store all outcomes and events that are not stored yet, even if the task is cancelled."""
        await self._writer.flush()

    async def add_answers(self) -> None:
        """Read the answers of resumed waits, and wake the steps that wait for them."""
        data = await self._read_journal()
        new = [key for key in data.answers if key not in self._data.answers]
        self._data.answers.update({key: data.answers[key] for key in new})
        self._data.answer_count = max(self._data.answer_count, data.answer_count)
        await self._wake(new)

    async def store_answers(self, keys: Sequence[str], data: str, answer_count: int) -> None:
        """Continue the steps that this process has resumed.

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

    async def _rest(self, key: str, event: RunIdle) -> None:
        """Record that all parts of the run wait; release the run unless a part continues soon."""
        waits = split_idle_key(key)
        if any(wait in self._data.answers for wait in waits):
            return
        if event.status == "suspended":
            await self._release(waits, [event])
            return
        self._writer.add_event("", event)
        self._idle_waits = waits
        if self._release_task is None or self._release_task.done():
            self._release_task = asyncio.create_task(self._release_if_idle())
            self._release_task.add_done_callback(retrieve_exception)

    async def _release_if_idle(self) -> None:
        """Release the run, so that it takes no memory, if all its parts sleep for a long time."""
        await asyncio.sleep(_RELEASE_DELAY)
        resting = {*self._sleeping, *self._waiters}
        # The timeout of a workflow does not count: no part of the run waits for it.
        ends = [until for key, until in self._sleeping.items() if key in self._idle_waits]
        is_long = min(ends, default=math.inf) - time.time() > self._release_after
        if is_long and resting.issuperset(self._idle_waits):
            await self._release(self._idle_waits, [])

    async def _release(self, waits: list[str], events: list[RunEvent]) -> None:
        """Release a run whose parts all wait, unless one of its waits was resumed meanwhile."""
        await self.flush()
        # No answer can come between this look at the waits and the number of answers in the batch.
        while not any(wait in self._data.answers for wait in waits):
            if await self._try_release(events):
                stop = self._stop
                self.close()
                stop()
                return
            await self.add_answers()

    async def _try_release(self, events: list[RunEvent]) -> bool:
        """Release the run, unless the store has answers that this execution has not read."""
        self._require_open()
        batch = Batch(releases=True, answers=self._data.answer_count)
        batch.events = [("", encode(event)) for event in events]
        batch.status = "suspended" if events else None
        if self._sleeping:
            batch.due_in = max(0, int((min(self._sleeping.values()) - time.time()) * 1000) + 1)
        return await self._writer.commit(batch, events)

    def _require_open(self) -> None:
        if self.closed:
            raise asyncio.CancelledError


def decode_outcomes(run_id: str, data: JournalData) -> dict[str, Outcome]:
    """Decode the outcomes of a journal.

    :param run_id: the id of the run.
    :param data: the stored journal.
    :raises MastraError: when an outcome cannot be read.
    """
    try:
        return {key: _OUTCOME.decode(text) for key, text in data.outcomes.items()}
    except msgspec.DecodeError as error:
        raise build_unreadable_error(f"An outcome of the run {run_id!r}", error) from None


def _do_nothing() -> None:
    """Do nothing; replaces the callback of a closed journal."""
