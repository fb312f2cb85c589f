"""An engine for an application in which only some workflows are durable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mastra_core.override import override
from mastra_core.workflows.durable.durable_engine import DurableEngine
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.engine.protocol import Engine, Run
from mastra_core.workflows.engine.run_options import UNSET
from mastra_core.workflows.engine.run_query import RunPage, RunQuery
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("MixedEngine",)


class MixedEngine(Engine):
    """Passes each run to the engine of its workflow.

    :param durable: the engine for workflows with ``durable=True``.
    :param other: the engine for all other workflows.
    """

    def __init__(self, durable: DurableEngine, other: Engine) -> None:
        self._durable = durable
        self._other = other

    @property
    def durable_engine(self) -> DurableEngine:
        """The engine that stores runs in a database."""
        return self._durable

    @property
    @override
    def single_process(self) -> bool:
        return self._durable.single_process or self._other.single_process

    @override
    async def open(self, workflows: Iterable[Workflow]) -> None:
        known = [*workflows]
        await self._durable.open(each for each in known if each.durable)
        await self._other.open(each for each in known if not each.durable)

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

    @override
    async def close(self) -> None:
        try:
            await self._durable.close()
        finally:
            await self._other.close()

    def _get_engine(self, workflow: Workflow) -> Engine:
        return self._durable if workflow.durable else self._other

    def _find_engine(self, run: Run) -> Engine:
        return self._durable if isinstance(run, DurableRun) else self._other
