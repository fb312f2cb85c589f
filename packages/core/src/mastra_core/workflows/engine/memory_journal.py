"""A journal in memory for one execution of a run."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from mastra_core.limits.memory_size import estimate_size
from mastra_core.request_scope import Signal, create_signal
from mastra_core.workflows.engine.journal import split_idle_key
from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import RunEvent, RunIdle
from mastra_core.workflows.engine.run_options import BATCH_SIZE
from mastra_core.workflows.engine.time_travel import select_kept_keys

__all__ = ("MemoryJournal",)


class MemoryJournal:
    """The outcomes, waits and emitted keys of one execution; a closed journal ignores events.

    :param run_id: the id of the run.
    :param add_event: receives each event once.
    :param count_bytes: called with the size in bytes of each outcome that is not part of an event.
    :param outcomes: outcomes of an earlier execution, by key, that this execution reuses instead of
        calling the user code.
    :ivar on_suspend: called when the run is suspended; ``None`` if a suspended run keeps its task.
    """

    parts = None  # the run ends with its process

    __slots__ = (
        "_add_event", "_count_bytes", "_emitted", "_resume_data", "_sleeping", "_waiters",
        "_wake_times", "closed", "on_suspend", "outcomes", "run_id",
    )  # fmt: skip

    def __init__(
        self,
        run_id: str,
        add_event: Callable[[RunEvent], None],
        count_bytes: Callable[[int], None],
        outcomes: dict[str, Outcome],
    ) -> None:
        self.run_id = run_id
        self.outcomes = outcomes
        self.closed = False
        self.on_suspend: Callable[[], None] | None = None
        self._add_event = add_event
        self._count_bytes = count_bytes
        self._resume_data: dict[str, Any] = {}
        self._wake_times: dict[str, float] = {}
        self._sleeping: frozenset[str] = frozenset()  # most runs never sleep
        self._emitted: set[str] = set()
        self._waiters: dict[str, Signal] = {}

    def close(self) -> None:
        """Ignore all further events, and drop the reference to the run."""
        self.closed = True  # breaks a cycle, so that no garbage collector is needed to free the run
        self._add_event = self._count_bytes = _ignore
        self.on_suspend = None

    def create_successor(
        self,
        add_event: Callable[[RunEvent], None],
        count_bytes: Callable[[int], None],
        outcomes: dict[str, Outcome],
        *,
        keep_wakes: bool,
    ) -> MemoryJournal:
        """Return a new journal for the next execution of the run.

        :param add_event: receives each event once.
        :param count_bytes: called with the size in bytes of each outcome that is not part of an
            event.
        :param outcomes: outcomes, by key, that the execution reuses instead of calling the user
            code.
        :param keep_wakes: whether a sleep that has finished before ends at once in the next
            execution.
        """
        journal = MemoryJournal(self.run_id, add_event, count_bytes, outcomes)
        for key, data in self._resume_data.items():  # of waits that the execution reaches again
            if "#".join(key.rsplit("!", 1)) in outcomes:
                journal._resume_data[key] = data
        for key, until in self._wake_times.items() if keep_wakes else ():
            if not key.endswith(":timeout"):
                journal._wake_times[key] = until
        journal._emitted = select_kept_keys(self._emitted, outcomes)
        return journal

    def reopen(
        self, add_event: Callable[[RunEvent], None], count_bytes: Callable[[int], None]
    ) -> MemoryJournal:
        """Return a new journal that continues this closed one.

        :param add_event: receives each event once.
        :param count_bytes: called with the size in bytes of each outcome that is not part of an
            event.
        """
        journal = MemoryJournal(self.run_id, add_event, count_bytes, self.outcomes)
        journal._resume_data, journal._wake_times = self._resume_data, self._wake_times
        journal._emitted, journal._sleeping = self._emitted, self._sleeping
        return journal

    def _is_obsolete_idle(self, key: str) -> bool:
        """Return whether data has already arrived for one of the waits of a ``RunIdle``."""
        return any(wait in self._resume_data for wait in split_idle_key(key))

    async def call_once(self, key: str, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Return the outcome of ``key``; await ``call`` if there is none yet.

        :param key: the key of the call.
        :param call: a function that calls the user's function.
        """
        outcome = self.outcomes.get(key)
        if outcome is None:
            outcome = await call()
            if outcome.state or outcome.kept is not None:
                self._count_bytes(estimate_size((outcome.state, outcome.kept)))
            self.outcomes[key] = outcome
        return outcome

    async def wait(self, key: str) -> Any:
        """Wait for the data that resumes a suspended step, and return the data.

        :param key: the key of the wait.
        """
        if key in self._resume_data:
            return self._resume_data[key]
        signal = self._waiters[key] = create_signal()
        try:
            await signal.wait()
        finally:
            del self._waiters[key]
        return self._resume_data[key]

    def store_resume_data(self, key: str, data: Any) -> None:
        """Store the data that resumes a suspended step.

        :param key: the key of the wait.
        :param data: the data that resumes the step, as JSON builtins.
        """
        self._resume_data[key] = data

    def wake(self, keys: Iterable[str]) -> None:
        """Wake suspended steps with stored resume data, in batches so that other tasks can run.

        :param keys: the keys of the waits.
        """
        import asyncio

        remaining = iter(keys)

        def wake_batch() -> None:
            batch = [*itertools.islice(remaining, BATCH_SIZE)]
            for key in batch:
                if signal := self._waiters.get(key):
                    signal.set()
            if batch:
                asyncio.get_running_loop().call_soon(wake_batch)

        wake_batch()

    async def sleep(self, key: str, until: float) -> None:
        """Sleep until a time.

        :param key: the key of the wait.
        :param until: the time in seconds since the epoch. A later call with the same key keeps the
            time of the first call.
        """
        import asyncio

        until = self._wake_times.setdefault(key, until)
        self._sleeping |= {key}
        try:
            await asyncio.sleep(max(0.0, until - time.time()))
        finally:
            if not self.closed:  # a run without an execution still sleeps
                self._sleeping -= {key}

    @property
    def is_due(self) -> bool:
        """Whether the time of a sleep or a timeout has come since the journal was closed."""
        return any(self._wake_times[key] <= time.time() for key in self._sleeping)

    async def emit(self, key: str, event: RunEvent) -> None:
        """Record an event, unless an event with the same key exists.

        :param key: the key of the event.
        :param event: the event.
        """
        if (
            self.closed
            or key in self._emitted
            or (type(event) is RunIdle and self._is_obsolete_idle(key))
        ):
            return
        if type(event) is not RunIdle:
            self._emitted.add(key)
            self._add_event(event)
            return
        self._add_event(event)  # the key names all waits, so it is long and never repeated
        if self.on_suspend is not None and event.status == "suspended" and not self.is_due:
            self.on_suspend()


def _ignore(_: object) -> None:
    """Do nothing; replaces the callbacks of a closed journal."""
