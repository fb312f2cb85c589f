"""Execute the runs of the memory engine in tasks.

On some platforms, the tasks of a request end with the request. There, the engine itself ends the
execution of a run that is suspended. The next request that resumes the run, or reads the run after
a sleep, executes the run again from its journal.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from mastra_core.request_scope import is_request_scoped, is_task_done, start_task
from mastra_core.workflows.engine.memory_run import MemoryRun
from mastra_core.workflows.engine.memory_store import MemoryStore
from mastra_core.workflows.engine.outcome import Outcome, RunError
from mastra_core.workflows.engine.run_events import RunEvent, RunFinished
from mastra_core.workflows.engine.run_options import RunOptions, StartPoint

__all__ = ("MemoryExecutor",)

_MOMENT = 0.1  # seconds
_LOST = RunError(
    message="The platform ended the request that executed the run before the run was complete."
)


class MemoryExecutor:
    """Executes the runs of a memory engine.

    :param runs: the runs.
    """

    def __init__(self, runs: MemoryStore) -> None:
        self._runs = runs

    def begin(
        self,
        run: MemoryRun,
        event: RunEvent,
        start: StartPoint | None = None,
        state: dict[str, Any] | None = None,
        *,
        per_step: bool = False,
    ) -> None:
        """Begin an execution.

        :param run: the run; it has no present execution.
        :param event: the first event of the execution.
        :param start: the step in which the execution begins; the first one by default.
        :param state: the shared state; by default, the initial state in the record of the run.
        :param per_step: whether to pause after one node.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory.
        """
        run.begin(event, start, state)
        initial = run.record.initial_state if state is None else state
        options = RunOptions(
            context=run.context, state=dict(initial), start=start, per_step=per_step
        )
        options.resource_id, options.trace = run.record.resource_id, run.trace
        options.resumed_by = run.resumed_by
        if is_request_scoped():
            run.replay_options = msgspec.structs.replace(options, state=dict(initial))
            run.journal.on_suspend = run.end_execution
        run.task = start_task(self._execute(run, options), "workflow run")

    def begin_again(
        self,
        run: MemoryRun,
        event: RunEvent,
        outcomes: dict[str, Outcome],
        start: StartPoint | None,
        state: dict[str, Any],
        *,
        per_step: bool = False,
    ) -> None:
        """End the present execution, if any, and begin the next one.

        :param run: the run.
        :param event: the first event of the execution.
        :param outcomes: outcomes, by key, that the execution reuses instead of calling the user
            code.
        :param start: the step in which the execution begins; ``None`` for the first one.
        :param state: the shared state.
        :param per_step: whether to pause after one node.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory.
        """
        run.stop()
        run.journal = run.journal.create_successor(
            run.add_event, run.count_bytes, outcomes, keep_wakes=start is run.start_point
        )
        self.begin(run, event, start, state, per_step=per_step)

    def continue_run(self, run: MemoryRun) -> None:
        """Execute a run without an execution again, in the request that resumes the run.

        :param run: the run; if it has an execution, nothing is done.
        """
        if run.replay_options is None or run.task is not None or run.journal.closed:
            return
        initial = dict(run.replay_options.state)
        options = msgspec.structs.replace(run.replay_options, state=initial)
        run.journal.on_suspend = run.end_execution
        run.task = start_task(self._execute(run, options), "workflow run")

    async def continue_due_runs(self) -> None:
        """Continue the runs whose sleep or timeout has ended, if timers end with their request."""
        if not is_request_scoped():
            return
        import asyncio

        self.finish_lost_runs()
        due = [
            run for run in self._runs.unfinished_runs if run.awaits_execution and run.journal.is_due
        ]
        for run in due:
            run.reopen_journal()
            self.continue_run(run)
        if tasks := [run.task for run in due if run.task is not None]:
            await asyncio.wait(tasks, timeout=_MOMENT)  # so that the caller sees a timeout

    def finish_lost_runs(self) -> None:
        """Mark a run as failed if the platform has ended its request before the run ended."""
        if not is_request_scoped():
            return
        for run in self._runs.unfinished_runs:
            if run.task is None or run.task.done() or not is_task_done(run.task):
                continue
            run.journal.close()
            run.task = None
            run.add_event(RunFinished(status="failed", error=_LOST, state=run.record.state))
            self._runs.mark_finished(run)

    async def _execute(self, run: MemoryRun, options: RunOptions) -> None:
        journal, execute_run = run.journal, _import_execute_run()
        end: RunEvent = RunFinished(status="canceled")  # when a step raises CancelledError
        try:
            end = await execute_run(run.workflow, run.record.input, journal, options)
        finally:
            if not journal.closed:
                journal.close()
                run.task = None
                run.add_event(end)
                if run.record.is_finished:
                    self._runs.mark_finished(run)


@functools.cache
def _import_execute_run() -> Any:
    """Import the interpreter at the first run; each repeated ``import`` would take 1 µs."""
    from mastra_core.workflows.engine.interpreter import execute_run

    return execute_run
