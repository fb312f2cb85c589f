"""The default engine keeps runs in this process.

It is bounded: finished runs leave by count and age, and when it is full of unfinished ones it
refuses new ones. What a run costs does not depend on how many there are.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from mastra_core.errors import Conflict, InvalidInput, NotFound, TooManyRuns
from mastra_core.schema import dump, validate
from mastra_core.workflows.engine import Run
from mastra_core.workflows.interpreter import StepFailed, interpret
from mastra_core.workflows.memory_run import MemoryRun
from mastra_core.workflows.record import RunError, RunFinished, RunRecord, RunStarted
from mastra_core.workflows.workflow import Workflow

__all__ = ("MemoryEngine",)

_Key = tuple[str, str]  # ids of workflow and run: callers choose run ids, so two may be equal


class MemoryEngine:
    """Runs in this process, bounded.

    :param max_finished: finished runs kept.
    :param max_age: seconds a finished run is kept.
    :param max_unfinished: runs that may be pending, running or suspended at once.
    """

    single_process = True

    def __init__(
        self, *, max_finished: int = 1000, max_age: float = 3600, max_unfinished: int = 10_000
    ) -> None:
        self._max_finished = max_finished
        self._max_age = max_age
        self._max_unfinished = max_unfinished
        self._unfinished: dict[_Key, MemoryRun] = {}
        self._pending: dict[_Key, None] = {}  # those of them that have not started, oldest first
        self._finished: OrderedDict[_Key, tuple[float, MemoryRun]] = OrderedDict()

    async def create(self, workflow: Workflow, run_id: str = "", resource_id: str = "") -> Run:
        """A run that has not started; an existing ``run_id`` gives that run.

        :raises TooManyRuns: when the engine is full of unfinished runs.
        """
        known = self._find(workflow, run_id) if run_id else None
        if known is not None:
            return known
        if len(self._unfinished) >= self._max_unfinished:
            self._drop_pending()
        record = RunRecord(
            run_id=run_id or _new_id(), workflow_id=workflow.id, resource_id=resource_id
        )
        run = MemoryRun(workflow, record)
        self._unfinished[run.key] = run
        self._pending[run.key] = None
        return run

    async def start(self, run: Run, value: Any, context: Mapping[str, Any] | None = None) -> None:
        """Begin; returns at once.

        :raises InvalidInput: when ``value`` does not fit; the run is forgotten, not left pending.
        :raises Conflict: when it was started before.
        """
        import asyncio

        run = _ours(run)
        if run.record.status != "pending":
            raise Conflict(f"The run {run.run_id!r} was started before.", "Create another run.")
        try:
            validate(run.workflow.input_type, value)
        except InvalidInput as error:
            self._forget(run)
            raise InvalidInput(
                f"Invalid input data: {error.message}", issues=error.issues
            ) from None
        self._pending.pop(run.key, None)
        run.context = dict(context or {})
        run.note(RunStarted(input=dump(value)))
        run.task = asyncio.create_task(self._execute(run), name=f"run {run.run_id}")

    async def resume(
        self, run: Run, data: Any, step: str = "", context: Mapping[str, Any] | None = None
    ) -> None:
        """Go on with a suspended step; returns at once.

        :param step: which one; may be empty where only one is suspended.
        :raises Conflict: when the run, or that step, is not suspended.
        :raises InvalidInput: when the data does not fit, or several steps wait and none is named.
        """
        run = _ours(run)
        name = _suspended_step(run.record, step)
        type_ = run.workflow.step(name).resume
        try:
            value = data if type_ is None else validate(type_, data)
        except InvalidInput as error:
            raise InvalidInput(
                f"Invalid resume data: {error.message}", issues=error.issues
            ) from None
        if context:  # the steps hold this very mapping
            run.context.clear()
            run.context.update(context)
        run.bring(name, value)

    async def cancel(self, run: Run) -> None:
        """End a run; a finished one stays as it is."""
        run = _ours(run)
        await run.cancel()
        self._settle(run)

    async def get(self, workflow: Workflow, run_id: str) -> Run:
        """A run by id.

        :raises NotFound: when it never was, or has left the journal.
        """
        run = self._find(workflow, run_id)
        if run is None:
            raise NotFound("Workflow run not found")
        return run

    async def list(self, workflow: Workflow) -> list[RunRecord]:
        """Every run that is still known, newest first."""
        self._expire()
        runs = [*self._unfinished.values(), *(run for _, run in self._finished.values())]
        records = [run.record for run in runs if run.workflow.id == workflow.id]
        return sorted(records, key=lambda record: record.created_at, reverse=True)

    async def delete(self, run: Run) -> None:
        """Cancel and forget."""
        await self.cancel(run)
        self._finished.pop(_ours(run).key, None)

    async def close(self) -> None:
        """Cancel what runs."""
        for run in [*self._unfinished.values()]:
            await self.cancel(run)

    async def _execute(self, run: MemoryRun) -> None:
        try:
            result = await interpret(run.workflow, run.record.input, run, run.context)
            run.note(RunFinished(status="success", result=dump(result)))
        except StepFailed as failed:
            run.note(RunFinished(status="failed", error=failed.error))
        except Exception as error:  # noqa: BLE001  # a defect of ours must not leave a run pending
            told = RunError(message=str(error), name=type(error).__name__)
            run.note(RunFinished(status="failed", error=told))
        finally:
            # A step that was cancelled from within ends neither way; it must not run for ever.
            run.note(RunFinished(status="canceled"))
            self._settle(run)

    def _settle(self, run: MemoryRun) -> None:
        self._pending.pop(run.key, None)
        if self._unfinished.pop(run.key, None) is None:
            return
        self._finished[run.key] = (time.monotonic(), run)
        self._expire()

    def _expire(self) -> None:
        oldest = time.monotonic() - self._max_age
        while self._finished:
            ended, _ = next(iter(self._finished.values()))
            if ended >= oldest and len(self._finished) <= self._max_finished:
                return
            self._finished.popitem(last=False)

    def _drop_pending(self) -> None:
        """A run that was created and never started is the cheapest to lose."""
        if not self._pending:
            raise TooManyRuns(
                f"There are {len(self._unfinished)} unfinished runs, the most this server keeps.",
                "Resume or cancel some, or raise MemoryEngine(max_unfinished=...).",
            )
        self._forget(self._unfinished[next(iter(self._pending))])

    def _forget(self, run: MemoryRun) -> None:
        """Drop a run that never ran; whoever watches it is told that it is over."""
        run.note(RunFinished(status="canceled"))
        self._pending.pop(run.key, None)
        del self._unfinished[run.key]

    def _find(self, workflow: Workflow, run_id: str) -> MemoryRun | None:
        self._expire()
        key = (workflow.id, run_id)
        _, finished = self._finished.get(key, (0, None))
        return self._unfinished.get(key) or finished


def _ours(run: Run) -> MemoryRun:
    if not isinstance(run, MemoryRun):
        raise TypeError(f"{run!r} is a run of another engine")
    return run


def _suspended_step(record: RunRecord, step: str) -> str:
    waiting = record.suspended
    if not waiting or (step and step not in waiting):
        raise Conflict(
            "This workflow run was not suspended"
            if not step
            else f"The step {step!r} is not suspended."
        )
    if not step and len(waiting) > 1:
        raise InvalidInput(f"Several steps are suspended: {', '.join(waiting)}.", "Name one.")
    return step or waiting[0]


def _new_id() -> str:
    import uuid  # it brings in platform, which no cold start needs

    return str(uuid.uuid4())
