"""Read the changes that other processes make to runs."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakSet, WeakValueDictionary

from mastra_core.errors import MastraError, StorageError
from mastra_core.logger import get_logger
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.execution import Execution
from mastra_core.workflows.durable.store.run_rows import RunState
from mastra_core.workflows.durable.store.run_store import RunStore

__all__ = ("FollowedRuns",)


class FollowedRuns:
    """The runs that this process executes, or whose events a caller in this process reads.

    :param store: the store.
    :param runs: the handles of runs that callers still use, by key.
    :param executions: the executions of this process, by the key of their run.
    :param has_parking: whether processes park the runs that no process can execute. Otherwise each
        run that waits for a process counts as parked.
    """

    def __init__(
        self,
        store: RunStore,
        runs: WeakValueDictionary[int, DurableRun],
        executions: Mapping[int, Execution],
        *,
        has_parking: bool = True,
    ) -> None:
        self._store, self._runs, self._executions = store, runs, executions
        self._has_parking = has_parking
        self._executed: WeakSet[DurableRun] = WeakSet()  # also the released runs

    def mark_executed(self, run: DurableRun) -> None:
        """Remember that this process has executed a run, as long as the run's handle is in use.

        :param run: the run.
        """
        self._executed.add(run)

    def has_watched_released_run(self) -> bool:
        """Return whether a client waits for a run that this process has executed and released."""
        return any(run.is_watched and not run.is_executed for run in [*self._executed])

    def list(self) -> dict[int, DurableRun]:
        """Return the runs that this process executes, or whose events a caller reads, by key."""
        runs = {run.key: run for run in [*self._runs.values()] if run.is_watched}
        return runs | {id_: each.run for id_, each in self._executions.items()}

    async def refresh(self) -> None:
        """Read the changes of the runs in ``list()``.

        :raises StorageError: when the database cannot be used.
        """
        runs = self.list()
        if not runs:
            return
        executions = dict(self._executions)
        states = await self._store.read_states(runs)
        for id_, run in runs.items():
            try:
                await self._refresh_run(run, states.get(id_), executions.get(id_))
            except StorageError:
                raise
            except MastraError as error:  # one damaged run must not stop the others
                get_logger("mastra.workflows").error("%s", error.message)
                run.fail(error)

    async def _refresh_run(
        self, run: DurableRun, state: RunState | None, execution: Execution | None
    ) -> None:
        if execution is not None and self._executions.get(run.key) is execution:
            await _update_execution(execution, state)
        if state is None:
            run.mark_deleted()
        else:
            waits = not (self._has_parking or state.holder) and run.record.status == "running"
            run.mark_parked(is_parked=state.is_parked or waits)
            if run.is_behind(state):
                await run.refresh()


async def _update_execution(execution: Execution, state: RunState | None) -> None:
    """Stop an execution that has lost its run, or read the new answers to its waits."""
    fence = (execution.row.holder, execution.row.attempt)
    if state is None or (state.holder, state.attempt) != fence:
        execution.abandon()
    elif state.answers > execution.answer_count:
        await execution.add_answers()
