"""The default engine, which keeps its runs in the memory of this process.

The memory of the engine is limited. Finished runs are removed when they exceed a limit of number,
bytes or age. If the engine is full of unfinished runs, new runs are refused. No caller can fill the
engine alone. The time that a run takes does not depend on the number of other runs.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mastra_core.arguments.number_checks import check_count, check_seconds
from mastra_core.errors import Conflict, InvalidInput, MastraError, NotFound, TooManyRuns
from mastra_core.override import override
from mastra_core.random_id import generate_id
from mastra_core.schema import dump
from mastra_core.telemetry import get_current_span, get_span_ids
from mastra_core.workflows.engine.memory_executor import MemoryExecutor
from mastra_core.workflows.engine.memory_run import MemoryRun
from mastra_core.workflows.engine.memory_store import MemoryStore
from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.protocol import Engine, Run
from mastra_core.workflows.engine.run_checks import (
    build_initial_state,
    check_resume_data,
    check_start_options,
    check_texts,
    read_input_data,
    require_restartable,
    require_rested,
)
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunRewound,
    RunStarted,
    get_timestamp_ms,
)
from mastra_core.workflows.engine.run_options import UNSET, StartPoint
from mastra_core.workflows.engine.run_query import RunCursor, RunPage, RunQuery
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.engine.time_travel import (
    build_rewind_event,
    build_start_point,
    drop_final_failures,
)
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("MemoryEngine",)


class MemoryEngine(Engine):
    """Stores and executes runs in the memory of this process.

    :param max_finished: the maximum number of finished runs that are kept.
    :param max_age: the seconds for which a finished run is kept.
    :param max_unfinished: the maximum number of pending, running and suspended runs.
    :param max_events: the maximum number of events of one run. A run with an endless loop fails
        when it reaches ``max_events``.
    :param max_bytes: the maximum total size of the finished runs; the same maximum applies to the
        unfinished runs. A run that exceeds ``max_bytes`` fails.
    :raises ConfigError: for an invalid number.
    """

    single_process = True

    def __init__(
        self,
        *,
        max_finished: int = 1000,
        max_age: float = 3600,
        max_unfinished: int = 10_000,
        max_events: int = 100_000,
        max_bytes: int = 268_435_456,
    ) -> None:
        check_count("max_finished", max_finished, least=0)
        check_seconds(f"max_age={max_age!r}", max_age, allows_zero=True)
        for name, value in (
            ("max_unfinished", max_unfinished),
            ("max_events", max_events),
            ("max_bytes", max_bytes),
        ):
            check_count(name, value, least=1)
        self._max_events = max_events
        self._numbers = itertools.count(1)
        self._runs = MemoryStore(max_finished, max_age, max_unfinished, max_bytes)
        self._executor = MemoryExecutor(self._runs)

    @override
    async def open(self, workflows: Iterable[Workflow]) -> None:
        """Do nothing, because no run outlives its process.

        :param workflows: the workflows.
        """

    @override
    async def create(
        self,
        workflow: Workflow,
        run_id: str = "",
        resource_id: str = "",
        *,
        caller: str = "",
        thread: str = "",
        is_confined: bool = False,
    ) -> Run:
        check_texts(run_id=run_id, resource_id=resource_id, caller=caller, thread=thread)
        self._executor.finish_lost_runs()
        scope = resource_id if is_confined else ""
        existing = self._runs.find_in_scope(workflow.id, run_id, scope) if run_id else None
        if existing is not None:
            return existing
        created_at = get_timestamp_ms()
        record = RunRecord(
            run_id=run_id or generate_id(),
            workflow_id=workflow.id,
            resource_id=resource_id,
            created_at=created_at,
            updated_at=created_at,
        )
        run = MemoryRun(workflow, record, self._max_events, caller, scope, self._runs.reserve)
        run.number = next(self._numbers)
        self._runs.add(run)
        return run

    @override
    async def start(
        self,
        run: Run,
        value: Any,
        context: Mapping[str, Any] | None = None,
        *,
        state: Any = None,
        per_step: bool = False,
        priority: int = 0,
    ) -> None:
        run = _require_memory_run(run)
        if run.record.status != "pending":
            raise Conflict(f"The run {run.run_id!r} was started before.", "Create another run.")
        try:
            check_start_options(context, per_step, priority)
            data = read_input_data(run.workflow.input_type, value)
            state = build_initial_state(run.workflow, state)
        except InvalidInput:
            self._runs.remove(run)
            raise
        try:
            self._runs.mark_started(run)
            run.replace_context(context)
            event = RunStarted(input=data, state=state)
            self._executor.begin(run, event, per_step=per_step)
        except TooManyRuns:
            self._runs.remove(run)
            raise

    @override
    async def resume_many(
        self,
        run: Run,
        data: Any,
        steps: Sequence[str],
        context: Mapping[str, Any] | None = None,
    ) -> None:
        run = _require_memory_run(run)
        paths = await check_resume_data(run.workflow, run.record, steps, data)
        run.replace_context(context)
        run.resumed_by.update(get_span_ids(get_current_span()))
        run.reopen_journal()
        await run.resume_steps(paths, dump(data))
        self._executor.continue_run(run)

    @override
    async def time_travel(
        self,
        run: Run,
        step: str,
        value: Any = UNSET,
        *,
        outputs: Mapping[str, Any] | None = None,
        state: Any = None,
        resume_data: Any = None,
        context: Mapping[str, Any] | None = None,
        per_step: bool = False,
    ) -> None:
        run = _require_memory_run(run)
        record = run.record
        require_rested(record)
        start = build_start_point(run.workflow, record, step, value, outputs, resume_data)
        state = dict(record.state) if state is None else build_initial_state(run.workflow, state)
        event = build_rewind_event(record, start)
        self._begin_again(run, event, {}, start, state, context, per_step=per_step)

    @override
    async def restart(self, run: Run, context: Mapping[str, Any] | None = None) -> None:
        run = _require_memory_run(run)
        record = run.record
        require_restartable(record)
        again = [path for path, step in record.steps.items() if step.status != "success"]
        self._begin_again(
            run,
            RunRewound(steps=tuple(again)),
            drop_final_failures(run.journal.outcomes),
            run.start_point,
            record.initial_state,
            context,
        )

    @override
    async def cancel(self, run: Run) -> None:
        run = _require_memory_run(run)
        if not run.record.is_finished:
            run.stop()
            run.add_event(RunFinished(status="canceled", state=run.record.state))
        self._runs.mark_finished(run)

    @override
    async def get(self, workflow: Workflow, run_id: str, resource_id: str = "") -> Run:
        await self._executor.continue_due_runs()
        if resource_id:
            run = self._runs.find_in_scope(workflow.id, run_id, resource_id)
        else:
            run = self._runs.find(workflow.id, run_id)
        if run is None:
            raise NotFound("Workflow run not found")
        return run

    @override
    async def get_many(self, workflow: Workflow, query: RunQuery) -> Sequence[Run]:
        await self._executor.continue_due_runs()
        return [run for _, run in _select_page(self._runs.get_runs(workflow.id), query)]

    @override
    async def list_page(self, workflow: Workflow, query: RunQuery) -> RunPage:
        await self._executor.continue_due_runs()
        page = _select_page(self._runs.get_runs(workflow.id), query)
        cursor = page[-1][0] if page and len(page) == query.limit else None
        return RunPage([run.record for _, run in page], cursor)

    @override
    async def count(self, workflow: Workflow, query: RunQuery | None = None) -> dict[str, int]:
        await self._executor.continue_due_runs()
        runs = _select_runs(self._runs.get_runs(workflow.id), query or RunQuery())
        return dict(Counter(run.record.status for run in runs))

    @override
    async def delete(self, run: Run) -> None:
        await self.cancel(run)
        self._runs.remove(_require_memory_run(run))

    @override
    async def close(self) -> None:
        for run in self._runs.unfinished_runs:
            await self.cancel(run)

    def _begin_again(
        self,
        run: MemoryRun,
        event: RunEvent,
        outcomes: dict[str, Outcome],
        start: StartPoint | None,
        state: dict[str, Any],
        context: Mapping[str, Any] | None,
        *,
        per_step: bool = False,
    ) -> None:
        self._runs.mark_started(run)
        try:
            run.replace_context(context)
            self._executor.begin_again(run, event, outcomes, start, state, per_step=per_step)
        except MastraError:
            if run.record.is_finished:
                self._runs.mark_finished(run)
            raise


def _select_runs(runs: Iterable[MemoryRun], query: RunQuery) -> list[MemoryRun]:
    return [run for run in runs if query.matches(run.record)]


def _select_page(runs: Iterable[MemoryRun], query: RunQuery) -> list[tuple[RunCursor, MemoryRun]]:
    """Return the page of runs that a query selects, newest first, with their positions."""
    places = [
        (RunCursor(run.record.created_at, run.number), run) for run in _select_runs(runs, query)
    ]
    if query.after is not None:
        places = [each for each in places if each[0] < query.after]
    places.sort(key=lambda place: place[0], reverse=True)
    end = None if query.limit is None else query.offset + query.limit
    return places[query.offset : end]


def _require_memory_run(run: Run) -> MemoryRun:
    if not isinstance(run, MemoryRun):
        raise TypeError(f"{run!r} is not a run of MemoryEngine.")
    return run
