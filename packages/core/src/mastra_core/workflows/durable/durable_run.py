"""A handle for one durable run: its record and its events, as far as this process knows them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from mastra_core.database.unreadable_data import build_unreadable_error
from mastra_core.errors import Conflict, UnreadableData
from mastra_core.logger import get_logger
from mastra_core.workflows.durable.store.run_rows import RunRow, RunState
from mastra_core.workflows.engine.outcome import RunError
from mastra_core.workflows.engine.run_events import RunEvent, RunFinished
from mastra_core.workflows.engine.run_options import BATCH_SIZE
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.model.workflow import Workflow

if TYPE_CHECKING:
    from mastra_core.workflows.durable.store.run_store import RunStore

__all__ = ("DurableRun", "build_listed_record", "build_record")

_PARKED_WAIT = 10.0  # seconds for which a caller waits for a process that can execute the run

_EVENT: msgspec.json.Decoder[RunEvent] = msgspec.json.Decoder(RunEvent)


class DurableRun:
    """A run that any process may execute.

    :param workflow: the workflow.
    :param row: the run in the store.
    :param store: the store.
    :param on_watch: called when somebody begins to wait for events.

    ``key`` is the unique key of the run in the store, and ``run_id`` is the id that callers
    use. ``is_executed`` says whether this process executes the run. ``trace`` holds the span ids of
    the execution in this process.
    """

    __slots__ = (
        "__weakref__", "_events", "_failure", "_lock", "_loop", "_on_watch", "_parked_since",
        "_store", "_watchers", "is_executed", "key", "record", "row", "trace", "workflow",
    )  # fmt: skip

    def __init__(
        self, workflow: Workflow, row: RunRow, store: RunStore, on_watch: Callable[[], None]
    ) -> None:
        self.workflow = workflow
        self.row = row
        self.key = row.id
        self.record = build_record(row, ())
        self.trace: dict[str, str] = {}
        self.is_executed = False
        self._store, self._on_watch = store, on_watch
        self._events: list[RunEvent] = []
        self._failure: Exception | None = None
        self._parked_since: float | None = None  # as far as a watcher of this process has seen
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watchers: set[asyncio.Event] = set()

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.record.run_id

    @property
    def context(self) -> dict[str, Any]:
        """The stored request context of the last execution."""
        return msgspec.json.decode(self.row.context, type=dict[str, Any])

    @property
    def position(self) -> int:
        """The number of events, which is the offset of the next event."""
        return len(self._events)

    @property
    def is_watched(self) -> bool:
        """Whether somebody waits for events of the run."""
        return bool(self._watchers)

    def is_behind(self, state: RunState) -> bool:
        """Return whether the store has events that this process has not read.

        :param state: the state of the run in the store.
        """
        return state.sequence > self.position

    async def refresh(self) -> None:
        """Read the new events from the store.

        :raises MastraError: when an event is damaged.
        """
        loop = asyncio.get_running_loop()
        if self._lock is None or self._loop is not loop:
            self._lock, self._loop = asyncio.Lock(), loop
        async with self._lock:
            first = self.position
            found = await self._store.read(self.key, first)
            if found is None:
                self.mark_deleted()
                return
            self.row, texts = found
            await self._add_texts(first, texts)

    async def _add_texts(self, first: int, texts: Sequence[str]) -> None:
        for start in range(0, len(texts), BATCH_SIZE):
            batch = texts[start : start + BATCH_SIZE]
            self._add(first + start, [_decode_event(self.run_id, text) for text in batch])
            if start + BATCH_SIZE < len(texts):
                await asyncio.sleep(0)  # a long run must not block the event loop

    async def add_committed(self, sequence: int, events: Sequence[RunEvent]) -> None:
        """Add the events that this process has just committed.

        :param sequence: the number of events after the commit.
        :param events: the events of the commit.
        """
        first = sequence - len(events)
        if first > self.position:  # another process has added events before
            await self.refresh()
        else:
            self._add(first, events)

    def mark_deleted(self) -> None:
        """End the run for its readers, because the run was deleted."""
        if not self.record.is_finished:
            self.record.apply(RunFinished(status="canceled", state=self.record.state))
        self._notify()

    def fail(self, error: Exception) -> None:
        """Raise an error in all calls that wait for the run.

        :param error: the error, such as a failure to read the changes of the run.
        """
        self._failure = error
        self._notify()

    def mark_parked(self, *, is_parked: bool) -> None:
        """Note whether the run waits for a process that can execute it; called repeatedly.

        :param is_parked: whether no living process can execute the run.
        """
        if not is_parked:
            self._parked_since = None
        elif self._parked_since is None:
            self._parked_since = time.monotonic()
        elif self._has_no_process():
            self._notify()

    def _has_no_process(self) -> bool:
        """Return whether the run waits for long for a process with another version of the app."""
        since, is_own = self._parked_since, self.row.fingerprint == self.workflow.fingerprint
        return since is not None and not is_own and time.monotonic() - since >= _PARKED_WAIT

    def _add(self, first: int, events: Sequence[RunEvent]) -> None:
        """Add events, and skip events that are known already."""
        for event in events[self.position - first :]:
            self._events.append(event)
            self.record.apply(event)
        self._notify()

    def _notify(self) -> None:
        for watcher in self._watchers:
            watcher.set()

    async def wait(self) -> RunRecord:
        """Wait until the run has finished, is paused, or waits for ``resume``.

        :returns: the record of the run.
        :raises Conflict: when this process has another version of the workflow, and no living
            process has had the run's version for ten seconds. The run stays in the store.
        """
        if not self.is_executed:
            await self.refresh()
        if not self._watchers:
            self._parked_since = None
        changed = self._add_watcher()
        try:
            while not self.record.is_settled:
                changed.clear()
                await changed.wait()
                if self._failure is not None:
                    raise self._failure
                if self._has_no_process() and not self.record.is_settled:
                    raise _build_parked_error(self.row)
        finally:
            self._watchers.discard(changed)
        return self.record

    def _add_watcher(self) -> asyncio.Event:
        changed = asyncio.Event()
        self._watchers.add(changed)
        self._on_watch()
        return changed

    async def iter_events(
        self, offset: int = 0, *, until_finished: bool = False
    ) -> AsyncIterator[RunEvent]:
        """Yield the events of the run, until it has ended, is paused or waits for ``resume``.

        :param offset: the number of events to skip.
        :param until_finished: whether to continue while the run is paused or suspended, until it
            has finished.
        """
        if not self.is_executed:
            await self.refresh()
        changed = self._add_watcher()
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
                if self._failure is not None:
                    raise self._failure
        finally:
            self._watchers.discard(changed)


def _build_parked_error(row: RunRow) -> Conflict:
    return Conflict(
        f"The run {row.run_id!r} is parked, because no living process has the version "
        f"{row.fingerprint!r} of the workflow {row.workflow!r}.",
        "The run continues when such a process starts. To continue it with another version, move "
        f"it: mastra runs move {row.run_id}",
    )


def build_record(row: RunRow, events: Sequence[str]) -> RunRecord:
    """Build the record of a run.

    :param row: the run in the store.
    :param events: the JSON of the events of the run.
    :raises MastraError: when an event is damaged.
    """
    record = RunRecord(
        run_id=row.run_id,
        workflow_id=row.workflow,
        resource_id=row.resource_id,
        created_at=row.created_at,
        updated_at=row.created_at,
    )
    for text in events:
        record.apply(_decode_event(row.run_id, text))
    return record


def build_listed_record(
    row: RunRow, events: Sequence[str]
) -> tuple[RunRecord, UnreadableData | None]:
    """Build the record of a run in a list, in which the other runs must be shown in any case.

    :param row: the run in the store.
    :param events: the JSON of the events of the run.
    :returns: the record, and ``None``. If an event is damaged, the record has only the status and
        the times of the row, and the error that is returned, too.
    """
    try:
        return build_record(row, events), None
    except UnreadableData as error:
        get_logger("mastra.workflows").warning("%s", error.message)
        record = build_record(row, ())
        record.status, record.updated_at = row.status, row.updated_at
        record.error = RunError(message=error.message, name=type(error).__name__)
        return record, error


def _decode_event(run_id: str, text: str) -> RunEvent:
    try:
        return _EVENT.decode(text)
    except msgspec.DecodeError as error:
        raise build_unreadable_error(f"An event of the run {run_id!r}", error) from None
