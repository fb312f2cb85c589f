"""An engine for an application in which only some workflows are durable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.workflows.durable.durable_engine import DurableEngine
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.run_load import RunLoad
from mastra_core.workflows.engine.protocol import Engine, Run
from mastra_core.workflows.engine.run_options import UNSET
from mastra_core.workflows.engine.run_query import RunQuery
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.model.workflow import Workflow

if TYPE_CHECKING:
    from mastra_core.workflows.durable.run_management import RunManager
    from mastra_core.workflows.durable.schedules.schedule_manager import ScheduleManager

__all__ = ("MixedEngine",)


class MixedEngine:
    """Passes each run to the engine of its workflow.

    :param durable: the engine for workflows with ``durable=True``.
    :param other: the engine for all other workflows.
    """

    def __init__(self, durable: DurableEngine, other: Engine) -> None:
        self.durable = durable
        self.other = other

    @property
    def database(self) -> str:
        """The kind of the database of the durable runs."""
        return self.durable.database

    @property
    def schedules(self) -> ScheduleManager:
        """The schedules of the durable workflows."""
        return self.durable.schedules

    @property
    def single_process(self) -> bool:
        """Whether some runs are known only to the process that created them."""
        return self.durable.single_process or self.other.single_process

    @property
    def load(self) -> RunLoad | None:
        """The number of durable runs that wait for a process, as measured a few seconds ago."""
        return self.durable.load

    async def manage(self) -> RunManager:
        """Return what reads and changes the stored runs of all durable workflows."""
        return await self.durable.manage()

    async def look_soon(self) -> None:
        """Look for durable runs that are due."""
        await self.durable.look_soon()

    async def open(self, workflows: Iterable[Workflow]) -> None:
        """Begin to execute the stored runs of workflows.

        :param workflows: the workflows.
        """
        known = [*workflows]
        await self.durable.open(each for each in known if each.durable)
        await self.other.open(each for each in known if not each.durable)

    async def create(
        self,
        workflow: Workflow,
        run_id: str = "",
        resource_id: str = "",
        *,
        caller: str = "",
        is_confined: bool = False,
    ) -> Run:
        """Create a run without starting it.

        :param workflow: the workflow.
        :param run_id: the id of the run; a random UUID by default.
        :param resource_id: the owner of the run.
        :param caller: the caller whose limits the run counts toward.
        :param is_confined: whether the creator may access the runs of ``resource_id`` only.
        """
        return await self._get_engine(workflow).create(
            workflow, run_id, resource_id, caller=caller, is_confined=is_confined
        )

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
        """Start a run.

        :param run: the run.
        :param value: the input of the workflow.
        :param context: the request context of the steps.
        :param state: the initial shared state.
        :param per_step: whether to pause after the first node.
        :param priority: the priority among the runs that wait for a process.
        """
        await self._find_engine(run).start(
            run, value, context, state=state, per_step=per_step, priority=priority
        )

    async def resume(
        self,
        run: Run,
        data: Any,
        step: str = "",
        context: Mapping[str, Any] | None = None,
        *,
        label: str = "",
    ) -> None:
        """Resume a suspended step.

        :param run: the run.
        :param data: the data the step is resumed with.
        :param step: the path of the step; may be empty if one step is suspended.
        :param context: the new request context; the previous one by default.
        :param label: the label the step passed to ``suspend``, instead of ``step``.
        """
        await self._find_engine(run).resume(run, data, step, context, label=label)

    async def resume_many(
        self,
        run: Run,
        data: Any,
        steps: Sequence[str],
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Resume several suspended steps with the same data.

        :param run: the run.
        :param data: the data the steps are resumed with.
        :param steps: the paths of the steps.
        :param context: the new request context; the previous one by default.
        """
        await self._find_engine(run).resume_many(run, data, steps, context)

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
        """Execute a run again from a step.

        :param run: the run.
        :param step: the path of the step.
        :param value: the input of the step; from the record by default.
        :param outputs: the outputs to assume for earlier steps, by path.
        :param state: the shared state; as it was by default.
        :param resume_data: the data the step is resumed with.
        :param context: the new request context; the previous one by default.
        :param per_step: whether to pause after one node.
        """
        await self._find_engine(run).time_travel(
            run,
            step,
            value,
            outputs=outputs,
            state=state,
            resume_data=resume_data,
            context=context,
            per_step=per_step,
        )

    async def restart(self, run: Run, context: Mapping[str, Any] | None = None) -> None:
        """Continue an interrupted, failed or stuck run.

        :param run: the run.
        :param context: the new request context; the previous one by default.
        """
        await self._find_engine(run).restart(run, context)

    async def cancel(self, run: Run) -> None:
        """Cancel a run; do nothing if it has finished.

        :param run: the run.
        """
        await self._find_engine(run).cancel(run)

    async def get(self, workflow: Workflow, run_id: str, resource_id: str = "") -> Run:
        """Return the run with an id.

        :param workflow: the workflow.
        :param run_id: the id of the run.
        :param resource_id: the owner of the run; any by default.
        :raises NotFound: when there is no such run.
        """
        return await self._get_engine(workflow).get(workflow, run_id, resource_id)

    async def list(self, workflow: Workflow, query: RunQuery | None = None) -> list[RunRecord]:
        """Return the records of stored runs, newest first.

        :param workflow: the workflow.
        :param query: selects the runs; all by default.
        """
        return await self._get_engine(workflow).list(workflow, query)

    async def count(self, workflow: Workflow, query: RunQuery | None = None) -> dict[str, int]:
        """Return the number of stored runs by status.

        :param workflow: the workflow.
        :param query: selects the runs; all by default.
        """
        return await self._get_engine(workflow).count(workflow, query)

    async def delete(self, run: Run) -> None:
        """Cancel a run and delete its record.

        :param run: the run.
        """
        await self._find_engine(run).delete(run)

    async def continue_runs(self) -> None:
        """Take up the durable runs that are due, and wait until these runs rest."""
        await self.durable.continue_runs()

    async def close(self) -> None:
        """Stop all runs of this process; other processes continue the durable runs."""
        await self.durable.close()
        await self.other.close()

    def _get_engine(self, workflow: Workflow) -> Engine:
        return self.durable if workflow.durable else self.other

    def _find_engine(self, run: Run) -> Engine:
        return self.durable if isinstance(run, DurableRun) else self.other
