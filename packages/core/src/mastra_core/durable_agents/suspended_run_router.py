"""Find the suspended runs of durable agents in the engine, and of other agents in the storage."""

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
from mastra_core.override import override

__all__ = ("SuspendedRunRouter",)


class SuspendedRunRouter(SuspendedRuns):
    """A store of suspended runs; it reads the runs of durable agents from the engine.

    The engine itself stores the runs of durable agents, so this store does not store or remove
    them.

    :param others: the store for the agents that are not durable.
    :param agents: the durable agents by id.
    """

    def __init__(self, others: SuspendedRuns, agents: Mapping[str, DurableAgent]) -> None:
        self._others = others
        self._agents = agents

    @override
    async def put(self, run: SuspendedRun) -> None:
        if run.agent_id not in self._agents:
            await self._others.put(run)

    @override
    async def get(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        agent = self._agents.get(agent_id)
        if agent is None:
            return await self._others.get(agent_id, run_id, resource)
        if resource is None:
            return select_single(await agent.find_suspended_runs(run_id), run_id)
        run = await agent.get_suspended_run(run_id, resource)
        # For the agent, an empty resource stands for any; for a store, it is the run without one.
        return select_single([run] if run.run_input.resource == resource else [], run_id)

    @override
    async def take(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        if agent_id in self._agents:
            return await self.get(agent_id, run_id, resource)
        return await self._others.take(agent_id, run_id, resource)

    @override
    async def list(self, query: SuspendedRunQuery) -> SuspendedRunPage:
        agent = self._agents.get(query.agent)
        if agent is None:
            return await self._others.list(query)
        return await agent.list_suspended_runs(query)
