"""The protocols of an engine, which stores and executes runs, and of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Protocol

from mastra_core.workflows.engine.run_events import RunEvent
from mastra_core.workflows.engine.run_options import UNSET
from mastra_core.workflows.engine.run_query import RunPage, RunQuery
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.engine.step_paths import find_suspended_step
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("Engine", "Run")


class Run(Protocol):
    """A handle for one run."""

    @property
    def record(self) -> RunRecord:
        """The present state of the run; only for reading."""

    @property
    def context(self) -> Mapping[str, Any]:
        """The request context of the last execution; only for reading."""

    @property
    def position(self) -> int:
        """The number of events, which is the offset of the next event."""

    async def wait(self) -> RunRecord:
        """Wait until the run has finished, is paused, or waits for ``resume``.

        :returns: the record of the run.
        """

    def iter_events(
        self, offset: int = 0, *, until_finished: bool = False
    ) -> AsyncIterator[RunEvent]:
        """Yield the events of the run, until it has ended, is paused or waits for ``resume``.

        :param offset: the number of events to skip.
        :param until_finished: whether to continue while the run is paused or suspended, until it
            has finished.
        """


class Engine(Protocol):
    """Stores and executes the runs of all workflows.

    In an engine with a database, each method raises ``StorageError`` when the database cannot be
    used.
    """

    @property
    def single_process(self) -> bool:
        """Whether a run is known only to the process that created it."""

    async def open(self, workflows: Iterable[Workflow]) -> None:
        """Begin to execute the stored runs of workflows. The server calls this method when it
        starts.

        :param workflows: the workflows.
        """

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
        """Create a run without starting it.

        :param workflow: the workflow.
        :param run_id: the id of the run; a random UUID by default. If the creator already has a run
            with this id in this workflow, the existing run is returned.
        :param resource_id: the owner of the run.
        :param thread: the thread of an agent's run.
        :param is_confined: whether the creator is confined, which means that it may access the runs
            of ``resource_id`` only. A confined creator may use a run id that other creators use for
            other runs.
        :param caller: the caller whose limits apply to the run, in an engine with limits; empty for
            the application itself.
        :raises InvalidInput: when a text contains a character that no database can store, or a
            caller passes a run id that belongs to a schedule of the workflow.
        :raises TooManyRuns: when the engine is full, or this caller has too many unfinished runs.
        """

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
        """Start a run, and return without waiting for its end.

        :param run: the run.
        :param value: the input of the workflow.
        :param context: the request context of the steps.
        :param state: the initial shared state.
        :param per_step: whether to pause after the first node; ``time_travel`` continues the run.
        :param priority: the priority of the run, from 0 to 1,000. If runs must wait for a free
            process, each point of priority counts as a further minute of waiting.
        :raises InvalidInput: when the input or the state does not fit its type, or the priority is
            out of its range. The run is removed.
        :raises Conflict: when the run was started before.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory. The run is
            removed.
        """

    async def resume(
        self,
        run: Run,
        data: Any,
        step: str = "",
        context: Mapping[str, Any] | None = None,
        *,
        label: str = "",
    ) -> None:
        """Resume a suspended step, and return without waiting for the run.

        :param run: the run.
        :param data: the data with which the step is resumed.
        :param step: the path of the step; may be empty if exactly one step is suspended.
        :param context: the new request context; the previous one by default.
        :param label: the label that the step passed to ``suspend``; an alternative to ``step``.
        :raises InvalidInput: when the data does not fit the step's type, or several suspended steps
            match.
        :raises Conflict: when the run, or the step, is not suspended.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory.
        """
        path = find_suspended_step(run.record, step, label)
        await self.resume_many(run, data, [path], context)

    async def resume_many(
        self,
        run: Run,
        data: Any,
        steps: Sequence[str],
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Resume several suspended steps with the same data, and return without waiting for them.

        :param run: the run.
        :param data: the data with which the steps are resumed.
        :param steps: the paths of the steps, or of groups in which one step is suspended.
        :param context: the new request context; the previous one by default.
        :raises InvalidInput: when the data does not fit the type.
        :raises Conflict: when a step is not suspended.
        :raises TooManyRuns: when the unfinished runs of the caller take too much memory.
        """

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
        """Execute a run again from a step, and return without waiting for its end.

        :param run: the run.
        :param step: the path of the step.
        :param value: the input of the step; by default, the input in the record of the run.
        :param outputs: the outputs to assume for earlier steps, by path; by default, the outputs in
            the record of the run.
        :param state: the shared state; by default, the last state in the record of the run.
        :param resume_data: the data with which the step is resumed.
        :param context: the new request context; the previous one by default.
        :param per_step: whether to pause after one node.
        :raises InvalidInput: when the input of the step is neither passed nor recorded.
        :raises NotFound: when there is no such step.
        :raises Conflict: when the run is running.
        :raises TooManyRuns: when the caller has too many unfinished runs, or they take too much
            memory.
        """

    async def restart(self, run: Run, context: Mapping[str, Any] | None = None) -> None:
        """Continue an interrupted, failed or stuck run, and return without waiting for its end.

        Finished steps are not executed again. A running step is cancelled and then executed again.

        :param run: the run.
        :param context: the new request context; the previous one by default.
        :raises Conflict: when the run is pending or paused, or has succeeded.
        :raises TooManyRuns: when the caller has too many unfinished runs, or they take too much
            memory.
        """

    async def cancel(self, run: Run) -> None:
        """Cancel a run; do nothing if it has finished.

        When this method returns, the run has ended. If a step ignores the cancellation, its result
        is discarded.

        :param run: the run.
        """

    async def get(self, workflow: Workflow, run_id: str, resource_id: str = "") -> Run:
        """Return the run with an id.

        :param workflow: the workflow.
        :param run_id: the id of the run.
        :param resource_id: the owner of the run; any by default. If several owners have a run with
            this id, the method prefers a run whose creator is not confined to a resource.
        :raises NotFound: when there is no such run, or it has been removed.
        :raises Conflict: when no owner is named, and several owners have a run with this id.
        """

    async def get_many(self, workflow: Workflow, query: RunQuery) -> Sequence[Run]:
        """Return stored runs, newest first. Two of them may have the same id and owner.

        :param workflow: the workflow.
        :param query: selects the runs.
        """

    async def list(self, workflow: Workflow, query: RunQuery | None = None) -> list[RunRecord]:
        """Return the records of stored runs, newest first.

        :param workflow: the workflow.
        :param query: selects the runs; all by default.
        """
        return (await self.list_page(workflow, query or RunQuery())).records

    async def list_page(self, workflow: Workflow, query: RunQuery) -> RunPage:
        """Return the records that ``list`` returns, and the position where the next page begins.

        :param workflow: the workflow.
        :param query: selects the runs; its ``limit`` is the size of the page.
        """

    async def count(self, workflow: Workflow, query: RunQuery | None = None) -> dict[str, int]:
        """Return the number of stored runs by status.

        :param workflow: the workflow.
        :param query: selects the runs; its ``after``, ``offset`` and ``limit`` have no effect. All
            runs by default.
        """

    async def delete(self, run: Run) -> None:
        """Cancel a run and delete its record.

        :param run: the run.
        """

    async def close(self) -> None:
        """Stop all runs of this process. The server calls this method when the server stops.

        The engine cancels runs in memory. Other processes continue durable runs.
        """
