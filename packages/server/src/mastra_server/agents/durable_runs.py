"""Read durable runs of agents, which any server on the database may execute."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.datastructures import State

from mastra_core.agents import AgentEvent, AgentInput, AgentLike, Failure, Finish
from mastra_core.agents.wrappers.agent_wrapper import AgentWrapper
from mastra_core.errors import NotFound
from mastra_server.agents.stream import stream_agent
from mastra_server.agents.suspended_runs import get_suspended_runs

if TYPE_CHECKING:
    from mastra_core.durable_agents import DurableAgent

__all__ = ("DurableAgentRun", "find_durable_agent", "find_durable_run", "stream_durable_run")

_Request = Request[Any, Any, Any]


def find_durable_agent(request: _Request, agent_id: str) -> DurableAgent | None:
    """Return the agent with an id if its runs are durable, else ``None``.

    :param request: the request.
    :param agent_id: the id of the agent.
    """
    agents: Mapping[str, DurableAgent] = request.app.state.mastra.durable_agents
    return agents.get(agent_id)


class DurableAgentRun:
    """A durable run that this server reads.

    :param agent: the agent.
    :param run_id: the id of the run.
    :param resource: the owner of the run; if it is empty, the run may have any owner.
    :param state: the state of the application.
    :ivar resource: the owner of the run; if it is empty, the run may have any owner.
    """

    def __init__(self, agent: DurableAgent, run_id: str, resource: str, state: State) -> None:
        self._agent = agent
        self._run_id = run_id
        self.resource = resource
        self._state = state

    @property
    def is_draining(self) -> bool:
        """Whether the server is stopping, so that readers must reconnect to another server."""
        return bool(self._state.draining)

    async def cancel(self) -> bool:
        """Cancel the run in the process that executes it; return ``False`` if it is not stored."""
        try:
            await self._agent.cancel_run(self._run_id, self.resource)
        except NotFound:  # the run has not been stored yet
            return False
        return True


def find_durable_run(
    request: _Request, agent_id: str, run_id: str, resource: str
) -> DurableAgentRun | None:
    """Return a run of a durable agent; ``None`` for another agent.

    :param request: the request.
    :param agent_id: the id of the agent.
    :param run_id: the id of the run, which need not exist yet.
    :param resource: the owner of the run; if it is empty, the run may have any owner.
    """
    agent = find_durable_agent(request, agent_id)
    return None if agent is None else DurableAgentRun(agent, run_id, resource, request.app.state)


async def stream_durable_run(
    request: _Request, agent: DurableAgent, run_input: AgentInput
) -> AsyncGenerator[dict[str, Any]]:
    """Return the chunks of a stored run from its beginning.

    Every server counts the same chunks, so a reader can reconnect to any server.

    :param request: the request.
    :param agent: the agent.
    :param run_input: the stored input of the run.
    :raises NotFound: when there is no such run.
    """
    events = await agent.observe(run_input.run_id, run_input.resource)
    return _stream_parts(request, agent, run_input, events)


class _PartOfRun(AgentWrapper):
    """An agent that yields the stored events of one part of a run.

    A part begins when the run starts, or when a decision resumes the run. The part ends when the
    run ends or is suspended.
    """

    def __init__(
        self, agent: AgentLike, first: AgentEvent, rest: AsyncIterator[AgentEvent]
    ) -> None:
        super().__init__(agent)
        self._first = first
        self._rest = rest

    async def stream(self, _: AgentInput, /) -> AsyncGenerator[AgentEvent]:
        yield self._first
        async for event in self._rest:
            yield event
            if isinstance(event, Finish | Failure):
                return


async def _stream_parts(
    request: _Request,
    agent: DurableAgent,
    run_input: AgentInput,
    events: AsyncGenerator[AgentEvent],
) -> AsyncGenerator[dict[str, Any]]:
    async with contextlib.aclosing(events):
        while (first := await anext(events, None)) is not None:
            part: Any = _PartOfRun(agent, first, events)
            chunks = stream_agent(part, run_input, get_suspended_runs(request))
            async with contextlib.aclosing(chunks):
                async for chunk in chunks:
                    yield chunk
