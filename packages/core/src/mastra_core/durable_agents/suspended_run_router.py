"""Find the suspended runs of durable agents in the engine, and those of other agents elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.agents.suspended_runs import (
    SuspendedRun,
    SuspendedRunPage,
    SuspendedRunQuery,
    SuspendedRuns,
    select_single,
)
from mastra_core.durable_agents.durable_agent import DurableAgent
from mastra_core.limits.memory_size import estimate_size
from mastra_core.limits.page_size import PageSize

__all__ = ("SuspendedRunRouter",)


class SuspendedRunRouter:
    """A store of suspended runs; it reads the runs of durable agents from the engine.

    :param others: the store for the other agents.
    :param agents: the durable agents by id.
    """

    def __init__(self, others: SuspendedRuns, agents: Mapping[str, DurableAgent]) -> None:
        self._others = others
        self._agents = agents

    async def put(self, run: SuspendedRun) -> None:
        """Store a run of an agent that is not durable.

        :param run: the run.
        :raises TooManyRuns: when its caller has too many suspended runs.
        """
        if run.agent_id not in self._agents:
            await self._others.put(run)

    async def get(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        """Return a run.

        :param agent_id: id of the agent.
        :param run_id: id of the run.
        :param resource: owner of the run; ``None`` for any.
        :raises NotFound: when there is none.
        :raises Conflict: when the resource is ``None``, and several resources have such a run.
        """
        agent = self._agents.get(agent_id)
        if agent is None:
            return await self._others.get(agent_id, run_id, resource)
        if resource is None:
            return select_single(await agent.find_suspended_runs(run_id), run_id)
        return await agent.get_suspended_run(run_id, resource)

    async def take(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        """Return a run and remove it; the engine removes the run of a durable agent at its resume.

        :param agent_id: id of the agent.
        :param run_id: id of the run.
        :param resource: owner of the run; ``None`` for any.
        :raises NotFound: when there is none.
        :raises Conflict: when the resource is ``None``, and several resources have such a run.
        """
        if agent_id in self._agents:
            return await self.get(agent_id, run_id, resource)
        return await self._others.take(agent_id, run_id, resource)

    async def list(self, query: SuspendedRunQuery) -> SuspendedRunPage:
        """Return the runs that match a query, newest first.

        :param query: the query.
        :raises InvalidInput: when the page is larger than the query allows.
        """
        agent = self._agents.get(query.agent)
        if agent is None:
            return await self._others.list(query)
        runs = await agent.list_suspended_runs(query)
        page = runs[query.offset : query.offset + query.per_page]
        size = PageSize(query.max_bytes)
        for run in page:
            size.add(estimate_size(run))
        return SuspendedRunPage(items=tuple(page), total=len(runs))
