"""An engine for an application in which only some workflows are durable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.override import override
from mastra_core.workflows.durable.durable_engine import DurableEngine
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.run_load import RunLoad
from mastra_core.workflows.engine.protocol import Engine, Run
from mastra_core.workflows.engine.run_options import UNSET
from mastra_core.workflows.engine.run_query import RunPage, RunQuery
from mastra_core.workflows.model.workflow import Workflow

if TYPE_CHECKING:
    from mastra_core.workflows.durable.run_management import RunManager
    from mastra_core.workflows.durable.schedules.schedule_manager import ScheduleManager

__all__ = ("MixedEngine",)


class MixedEngine(Engine):
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
    @override
    def single_process(self) -> bool:
        return self.durable.single_process or self.other.single_process

    @property
    def load(self) -> RunLoad | None:
        """The number of durable runs that wait for a process, as measured a few seconds ago."""
        return self.durable.load

    async def check(self) -> None:
        """Check that the database of the durable runs answers."""
        await self.durable.check()

    async def manage(self) -> RunManager:
        """Return the manager of the stored runs of all durable workflows."""
        return await self.durable.manage()

    async def look_soon(self) -> None:
        """Look for durable runs that are due."""
        await self.durable.look_soon()

    @override
    async def open(self, workflows: Iterable[Workflow]) -> None:
        known = [*workflows]
        await self.durable.open(each for each in known if each.durable)
        await self.other.open(each for each in known if not each.durable)

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
        return await self._get_engine(workflow).create(
            workflow, run_id, resource_id, caller=caller, thread=thread, is_confined=is_confined
        )

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
        await self._find_engine(run).start(
            run, value, context, state=state, per_step=per_step, priority=priority
        )

    @override
    async def resume_many(
        self,
        run: Run,
        data: Any,
        steps: Sequence[str],
        context: Mapping[str, Any] | None = None,
    ) -> None:
        await self._find_engine(run).resume_many(run, data, steps, context)

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

    @override
    async def restart(self, run: Run, context: Mapping[str, Any] | None = None) -> None:
        await self._find_engine(run).restart(run, context)

    @override
    async def cancel(self, run: Run) -> None:
        await self._find_engine(run).cancel(run)

    @override
    async def get(self, workflow: Workflow, run_id: str, resource_id: str = "") -> Run:
        return await self._get_engine(workflow).get(workflow, run_id, resource_id)

    @override
    async def get_many(self, workflow: Workflow, query: RunQuery) -> Sequence[Run]:
        return await self._get_engine(workflow).get_many(workflow, query)

    @override
    async def list_page(self, workflow: Workflow, query: RunQuery) -> RunPage:
        return await self._get_engine(workflow).list_page(workflow, query)

    @override
    async def count(self, workflow: Workflow, query: RunQuery | None = None) -> dict[str, int]:
        return await self._get_engine(workflow).count(workflow, query)

    @override
    async def delete(self, run: Run) -> None:
        await self._find_engine(run).delete(run)

    async def continue_runs(self) -> None:
        """Execute the durable runs that are due, until each of them has ended or waits."""
        await self.durable.continue_runs()

    async def has_waiting_runs(self) -> bool:
        """Return whether this process could execute a durable run that waits."""
        return await self.durable.has_waiting_runs()

    async def close(self) -> None:
        """Stop all runs of this process; other processes continue the durable runs."""
        try:
            await self.durable.close()
        finally:
            await self.other.close()

    def _get_engine(self, workflow: Workflow) -> Engine:
        return self.durable if workflow.durable else self.other

    def _find_engine(self, run: Run) -> Engine:
        return self.durable if isinstance(run, DurableRun) else self.other
