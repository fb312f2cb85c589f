"""Execute a run in this process, as long as the process holds the run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from mastra_core.errors import StorageError, TooManyRuns
from mastra_core.logger import get_logger
from mastra_core.random_id import generate_id
from mastra_core.telemetry import save_context
from mastra_core.workflows.durable.durable_journal import DurableJournal
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.store.run_rows import (
    Batch,
    ExecutionSettings,
    JournalData,
    NewRun,
    RunRow,
    encode,
)
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.engine.interpreter import execute_run
from mastra_core.workflows.engine.outcome import RunError
from mastra_core.workflows.engine.run_checks import (
    build_initial_state,
    read_input_data,
)
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunPaused,
    RunStarted,
    get_timestamp_ms,
)
from mastra_core.workflows.engine.run_options import RunOptions
from mastra_core.workflows.engine.step_runner import to_run_error
from mastra_core.workflows.engine.workflow_metrics import measure_end, measure_start
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("Execution", "ExecutionLimits", "build_full_error")

T = TypeVar("T")
# Seconds between two tries while the database cannot be used.
_MIN_DELAY, _MAX_DELAY = 0.05, 2.0
_GRACE = 2.0  # seconds for the steps of a run to end when this process releases the run


class ExecutionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of each execution.

    :param max_events: the maximum number of events of a run.
    :param max_takeovers: how many processes in sequence may die while they execute a run and
        record no outcome.
    :param release_after: if a run sleeps for more seconds than this, the process releases it.
    :param max_unfinished: the maximum number of unfinished runs of each caller.
    """

    max_unfinished: int
    max_events: int
    max_takeovers: int
    release_after: float


class Execution:
    """One attempt of this process to execute a run.

    :param store: the store.
    :param run: the run.
    :param row: the run in the store, as this process has claimed it.
    :param context: the request context of the steps.
    :param limits: the limits.
    :param on_child: called when the run has started another run.
    :param on_end: called when the execution has ended, for whatever reason.
    """

    def __init__(
        self,
        store: RunStore,
        run: DurableRun,
        row: RunRow,
        context: dict[str, Any],
        limits: ExecutionLimits,
        *,
        on_child: Callable[[], None],
        on_end: Callable[[Execution], None],
    ) -> None:
        self.run = run
        self.row = row
        self.context = context
        self._store = store
        self._limits = limits
        self._on_child = on_child
        self._on_end = on_end
        self._commits = 0
        self._journal: DurableJournal | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def answer_count(self) -> int:
        """The number of resumed waits that this execution has read."""
        return self.row.answers if self._journal is None else self._journal.answer_count

    def start(self) -> None:
        """Start to execute the run in a task."""
        measure_start(self.run.workflow.id, self)
        self.task = asyncio.create_task(self._execute(), name="workflow run")

    def abandon(self) -> None:
        """Stop without a commit, because the run was canceled or another process holds it."""
        if self._journal is not None:
            self._journal.close()
        if self.task is not None:
            self.task.cancel()

    async def release(self) -> None:
        """Stop the steps, and store the outcomes so far; another process continues the run."""
        if self._journal is not None:
            self._journal.stopping = True
        if self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task], timeout=_GRACE)
        if self._journal is not None and not self._journal.closed:
            with contextlib.suppress(StorageError, TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._journal.flush(), _GRACE)
            self._journal.close()

    async def add_answers(self) -> None:
        """Continue the steps that another process has resumed."""
        if self._journal is not None and not self._journal.closed:
            await self._journal.add_answers()

    async def store_answers(self, keys: Sequence[str], data: str, answer_count: int) -> None:
        """Continue the steps that this process has resumed.

        :param keys: the keys of the waits.
        :param data: the JSON of the data that resumes the waits.
        :param answer_count: the number of answers in the store.
        """
        if self._journal is not None and not self._journal.closed:
            await self._journal.store_answers(keys, data, answer_count)

    async def _execute(self) -> None:
        try:
            await self._replay()
        except Exception as error:  # noqa: BLE001  # a journal that cannot be read must end the run
            reason = to_run_error(error, f"run {self.run.run_id!r}")
            end = RunFinished(status="failed", error=reason, state=self.run.record.state)
            batch = Batch(events=[("", encode(end))], status="failed", releases=True)
            await self._commit(batch, [end])
        finally:
            status = self.run.record.status
            outcome = "released" if status == "running" else status  # another process continues it
            measure_end(self.run.workflow.id, self, outcome)
            self._on_end(self)

    async def _replay(self) -> None:
        run, row = self.run, self.row
        if run.position < row.sequence:
            await self._retry(run.refresh)
        data = await self._read_journal()
        self._journal = journal = DurableJournal(
            run.run_id,
            data,
            self._commit,
            self._read_journal,
            self.abandon,
            position=run.position,
            max_events=self._limits.max_events,
            release_after=self._limits.release_after,
        )
        if row.takeovers > self._limits.max_takeovers:
            await journal.finish(self._build_lost_process_end())
            return
        end = await self._interpret(journal)
        if not journal.closed:
            await journal.finish(end)

    async def _interpret(self, journal: DurableJournal) -> RunFinished | RunPaused:
        run = self.run
        settings = msgspec.json.decode(self.row.settings, type=ExecutionSettings)
        options = RunOptions(
            context=self.context,
            state=dict(settings.state),
            start=settings.start,
            per_step=settings.per_step,
            resource_id=self.row.resource_id,
            trace=run.trace,
            start_child=self._start_child,
        )
        run.trace.update(settings.trace)
        try:
            return await execute_run(run.workflow, run.record.input, journal, options)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if journal.closed or task is None or task.cancelling():
                raise
            return RunFinished(status="canceled")  # a step has raised the error

    async def _commit(self, batch: Batch, events: list[RunEvent]) -> bool:
        """Store a batch; store nothing and return ``False`` if the run has unread answers."""
        row, number = self.row, self._commits
        # The number tells the store whether a commit whose answer was lost was stored.
        result = await self._retry(
            lambda: self._store.commit(row.id, row.holder, row.attempt, number, batch)
        )
        if result.kind == "refused":
            get_logger("mastra.workflows").info(
                "run %s was taken over or canceled", self.run.run_id
            )
            self.abandon()
            raise asyncio.CancelledError
        if result.kind == "answered":
            return False
        self._commits += 1
        await self.run.add_committed(result.sequence, events)
        return True

    async def _start_child(self, wait: tuple[str, bool], workflow: Workflow, value: Any) -> str:
        """Start a run for a step, or find the run that was started before; return its id."""
        data = read_input_data(workflow.input_type, value)
        row, state = self.row, build_initial_state(workflow, None)
        new = NewRun(
            workflow=workflow.id,
            run_id=generate_id(),
            scope=row.scope,
            resource_id=row.resource_id,
            caller=row.caller,
            created_at=get_timestamp_ms(),
            fingerprint=workflow.fingerprint,
        )
        event = encode(RunStarted(input=data, state=state))
        settings = encode(ExecutionSettings(state=state, trace=save_context()))
        limit = self._limits.max_unfinished
        result = await self._retry(
            lambda: self._store.start_child(row, wait, new, event, settings, limit)
        )
        if result.kind == "refused":
            self.abandon()
            raise asyncio.CancelledError
        if result.kind == "full":
            raise build_full_error(limit)
        self._on_child()
        return result.run_id

    async def _read_journal(self) -> JournalData:
        return await self._retry(lambda: self._store.read_journal(self.row.id))

    async def _retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Retry a call until the database works; the store refuses a batch that comes too late."""
        delay = _MIN_DELAY
        while True:
            try:
                return await call()
            except StorageError as error:
                get_logger("mastra.workflows").error(
                    "run %s waits for its database: %s", self.run.run_id, error
                )
            await asyncio.sleep(delay)
            delay = min(2 * delay, _MAX_DELAY)

    def _build_lost_process_end(self) -> RunFinished:
        count = self.row.takeovers
        message = (
            f"The run made no progress, because {count} processes that executed it ended. It is "
            "not retried automatically."
        )
        get_logger("mastra.workflows").error("run %s: %s", self.run.run_id, message)
        error = RunError(message=message, name="ProcessLost")
        return RunFinished(status="failed", error=error, state=self.run.record.state)


def build_full_error(max_unfinished: int) -> TooManyRuns:
    """Return the error for a caller with too many unfinished runs.

    :param max_unfinished: the maximum number of unfinished runs of the caller.
    """
    return TooManyRuns(
        f"This caller has {max_unfinished} unfinished runs, and may add no more.",
        "Resume or cancel some runs, or increase DurableEngine(max_unfinished=...).",
    )
