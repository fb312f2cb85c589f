"""Find the suspended runs of durable agents in the engine, and of other agents in the storage."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import msgspec

from mastra_core.agents.suspended_runs import (
    SuspendedRun,
    SuspendedRunPage,
    SuspendedRunQuery,
    SuspendedRuns,
    limit_size,
    select_single,
)
from mastra_core.durable_agents.durable_agent import DurableAgent
from mastra_core.errors import NotFound
from mastra_core.override import override

__all__ = ("SuspendedRunRouter",)


class SuspendedRunRouter(SuspendedRuns):
    """A store of suspended runs; it reads the runs of durable agents from the engine.

    The engine itself stores the runs of durable agents, so this store does not store or remove
    them. If an earlier version of the app suspended a run when the agent was not durable, the run
    is in the other store.

    :param others: the store of the runs that are not durable.
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
        if agent is not None:
            with contextlib.suppress(NotFound):
                return await _get_stored_run(agent, run_id, resource)
        return await self._others.get(agent_id, run_id, resource)

    @override
    async def take(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        agent = self._agents.get(agent_id)
        if agent is not None:
            with contextlib.suppress(NotFound):
                return await _get_stored_run(agent, run_id, resource)
        return await self._others.take(agent_id, run_id, resource)

    @override
    async def list(self, query: SuspendedRunQuery) -> SuspendedRunPage:
        agent = self._agents.get(query.agent)
        if agent is None:
            return await self._others.list(query)
        page = await agent.list_suspended_runs(query)
        return await self._add_earlier_runs(page, query)

    async def _add_earlier_runs(
        self, page: SuspendedRunPage, query: SuspendedRunQuery
    ) -> SuspendedRunPage:
        """Add the runs that were suspended before the agent was durable, after all other runs."""
        first = max(0, query.offset - page.total)
        count = query.per_page - len(page.items)
        number, skip = divmod(first, max(1, query.per_page))
        items: list[SuspendedRun] = []
        while True:
            part = await self._others.list(msgspec.structs.replace(query, page=number))
            items += part.items
            number += 1
            if len(items) >= skip + count or len(part.items) < query.per_page:
                break
        runs = limit_size((*page.items, *items[skip : skip + count]), query)
        return SuspendedRunPage(items=runs, total=page.total + part.total)


async def _get_stored_run(agent: DurableAgent, run_id: str, resource: str | None) -> SuspendedRun:
    if resource is None:
        return select_single(await agent.find_suspended_runs(run_id), run_id)
    run = await agent.get_suspended_run(run_id, resource)
    # For the agent, an empty resource stands for any; for a store, it is the run without one.
    return select_single([run] if run.run_input.resource == resource else [], run_id)
