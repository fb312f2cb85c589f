"""The default engine keeps runs in this process.

It is bounded: finished runs leave by count and age, and when it is full of unfinished ones it
refuses new ones. What a run costs does not depend on how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mastra_core.errors import Conflict, InvalidInput, NotFound
from mastra_core.schema import dump, validate
from mastra_core.workflows.engine.memory_run import MemoryRun
from mastra_core.workflows.engine.memory_store import MemoryStore
from mastra_core.workflows.engine.protocol import Run
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunPaused,
    RunRewound,
    RunStarted,
    StepResumed,
    now,
)
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.engine.start import UNSET, Options, Start
from mastra_core.workflows.engine.step_paths import step_at, suspended_step
from mastra_core.workflows.engine.time_travel import kept, rewound, start_at
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("MemoryEngine",)


class MemoryEngine:
    """Runs in this process, bounded.

    :param max_finished: finished runs kept.
    :param max_age: seconds a finished run is kept.
    :param max_unfinished: runs that may be pending, running or suspended at once.
    :param max_events: the most that may happen in one run; a loop without end fails there.
    """

    single_process = True

    def __init__(
        self,
        *,
        max_finished: int = 1000,
        max_age: float = 3600,
        max_unfinished: int = 10_000,
        max_events: int = 100_000,
    ) -> None:
        self._max_events = max_events
        self._runs = MemoryStore(max_finished, max_age, max_unfinished)

    async def create(self, workflow: Workflow, run_id: str = "", resource_id: str = "") -> Run:
        """A run that has not started; an existing ``run_id`` gives that run.

        :raises TooManyRuns: when the engine is full of unfinished runs.
        """
        known = self._runs.find((workflow.id, run_id)) if run_id else None
        if known is not None:
            return known
        at = now()
        record = RunRecord(
            run_id=run_id or _new_id(),
            workflow_id=workflow.id,
            resource_id=resource_id,
            created_at=at,
            updated_at=at,
        )
        run = MemoryRun(workflow, record, self._max_events)
        self._runs.add(run)
        return run

    async def start(
        self,
        run: Run,
        value: Any,
        context: Mapping[str, Any] | None = None,
        *,
        state: Any = None,
        per_step: bool = False,
    ) -> None:
        """Begin; returns at once.

        :param state: the shared state to begin with.
        :param per_step: stop after the first step; ``travel`` goes on from there.
        :raises InvalidInput: when ``value`` does not fit; the run is forgotten, not left pending.
        :raises Conflict: when it was started before.
        """
        run = _ours(run)
        if run.record.status != "pending":
            raise Conflict(f"The run {run.run_id!r} was started before.", "Create another run.")
        try:
            _fit("input data", run.workflow.input_type, value)
            state = _state(run.workflow, state)
        except InvalidInput:
            self._runs.forget(run)
            raise
        run.context = dict(context or {})
        self._begin(run, RunStarted(input=dump(value), state=state), per_step=per_step)

    async def resume(
        self,
        run: Run,
        data: Any,
        step: str = "",
        context: Mapping[str, Any] | None = None,
        *,
        label: str = "",
    ) -> None:
        """Go on with a suspended step; returns at once.

        :param step: its path; may be empty where only one is suspended.
        :param label: what it was suspended with, instead of its path.
        :raises Conflict: when the run, or that step, is not suspended.
        :raises InvalidInput: when the data does not fit, or several steps wait and none is named.
        """
        run = _ours(run)
        path = suspended_step(run.record, step, label)
        type_ = step_at(run.workflow, path).resume
        if type_ is not None:
            _fit("resume data", type_, data)
        _replace_context(run, context)
        data = dump(data)
        run.note(StepResumed(step=path, data=data))
        run.journal.bring(run.record.steps[path].key, data)

    async def travel(
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
        """Begin again in ``step``, as if what comes before it had run; returns at once.

        :param step: its path.
        :param value: its input; what it got before where not given.
        :param outputs: what earlier steps are taken to have given, by path, beside what they gave.
        :param state: the shared state to begin with; as it was where not given.
        :param resume_data: what the step finds as if it had been resumed.
        :raises Conflict: while the run is under way.
        :raises InvalidInput: when nothing says what the step gets.
        :raises NotFound: when there is no such step.
        """
        run = _ours(run)
        record = run.record
        if record.status in ("running", "waiting"):
            raise Conflict("This workflow run is still running", "Cancel it, or wait for its end.")
        start = start_at(run.workflow, record, step, value, outputs, resume_data)
        state = dict(record.state) if state is None else _state(run.workflow, state)
        await run.stop()
        _replace_context(run, context)
        run.journal = run.journal.successor(run.note, {})
        self._begin(run, rewound(record, start), start, state, per_step=per_step)

    async def restart(self, run: Run, context: Mapping[str, Any] | None = None) -> None:
        """Go on where a run broke off, or is stuck; returns at once.

        Steps that have ended do not run again; a step under way is cancelled and begins anew.

        :raises Conflict: when the run never began, or succeeded.
        """
        run = _ours(run)
        record = run.record
        if record.status in ("pending", "paused", "success"):
            raise Conflict(f"This workflow run is {record.status}, so nothing broke off.")
        await run.stop()
        _replace_context(run, context)
        run.journal = run.journal.successor(run.note, kept(run.journal.outcomes))
        again = [path for path, step in record.steps.items() if step.status != "success"]
        self._begin(run, RunRewound(steps=tuple(again)), run.start, record.initial_state)

    async def cancel(self, run: Run) -> None:
        """End a run; a finished one stays as it is.

        It is over at once, whatever its steps do: one that does not listen is left to itself.
        """
        run = _ours(run)
        if not run.record.finished:
            await run.stop()
            run.note(RunFinished(status="canceled", state=run.record.state))
        self._runs.ended(run)

    async def get(self, workflow: Workflow, run_id: str) -> Run:
        """A run by id.

        :raises NotFound: when it never was, or has left the journal.
        """
        run = self._runs.find((workflow.id, run_id))
        if run is None:
            raise NotFound("Workflow run not found")
        return run

    async def list(self, workflow: Workflow) -> list[RunRecord]:
        """Every run that is still known, newest first."""
        records = [run.record for run in self._runs if run.workflow.id == workflow.id]
        return sorted(records, key=lambda record: record.created_at, reverse=True)

    async def delete(self, run: Run) -> None:
        """Cancel and forget."""
        await self.cancel(run)
        self._runs.forget(_ours(run))

    async def close(self) -> None:
        """Cancel what runs."""
        for run in self._runs.unfinished:
            await self.cancel(run)

    def _begin(
        self,
        run: MemoryRun,
        event: RunEvent,
        start: Start | None = None,
        state: dict[str, Any] | None = None,
        *,
        per_step: bool = False,
    ) -> None:
        import asyncio

        self._runs.began(run)
        run.begin(event, start)
        begun = run.record.initial_state if state is None else state
        options = Options(context=run.context, state=dict(begun), start=start, per_step=per_step)
        options.resource, options.trace = run.record.resource_id, run.trace
        run.task = asyncio.create_task(self._execute(run, options), name="workflow run")

    async def _execute(self, run: MemoryRun, options: Options) -> None:
        from mastra_core.workflows.engine.interpreter import Paused, interpret
        from mastra_core.workflows.engine.step_runner import StepFailed, told

        journal, state = run.journal, options.state
        end: RunEvent = RunFinished(status="canceled")  # a step that was cancelled from within
        try:
            result = await interpret(run.workflow, run.record.input, journal, options)
            end = RunFinished(status="success", result=dump(result), state=state)
        except Paused:
            end = RunPaused(state=state)
        except StepFailed as failed:
            end = RunFinished(status="failed", error=failed.error, state=state)
        except Exception as error:  # noqa: BLE001  # a defect of ours must not leave a run pending
            reason = told(error, f"a run of workflow {run.workflow.id!r}")
            end = RunFinished(status="failed", error=reason, state=state)
        finally:
            if not journal.closed:
                journal.close()
                run.task = None
                run.note(end)
                if run.record.finished:
                    self._runs.ended(run)


def _ours(run: Run) -> MemoryRun:
    if not isinstance(run, MemoryRun):
        raise TypeError(f"{run!r} is a run of another engine")
    return run


def _fit(what: str, type_: Any, value: Any) -> None:
    try:
        validate(type_, value)
    except InvalidInput as error:
        raise InvalidInput(f"Invalid {what}: {error.message}", issues=error.issues) from None


def _state(workflow: Workflow, state: Any) -> dict[str, Any]:
    """The state as it begins, with what its type has as defaults."""
    given = {} if state is None else state
    type_ = dict[str, Any] if workflow.state is None else workflow.state
    if not given and workflow.state is None:
        return {}
    _fit("initial state", type_, given)
    whole: dict[str, Any] = dump(validate(type_, given))
    return whole


def _replace_context(run: MemoryRun, context: Mapping[str, Any] | None) -> None:
    if context:  # the steps hold this very mapping
        run.context.clear()
        run.context.update(context)


def _new_id() -> str:
    """A random UUID; the module uuid brings in platform, which no cold start needs."""
    digits = bytearray(os.urandom(16))
    digits[6] = digits[6] & 0x0F | 0x40  # version 4
    digits[8] = digits[8] & 0x3F | 0x80  # variant of RFC 9562
    text = digits.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
