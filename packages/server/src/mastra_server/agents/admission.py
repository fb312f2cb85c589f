"""Check that a run may start, while the response can still have an error status."""

from __future__ import annotations

from typing import Any

from litestar import Request

from mastra_core.agents import AgentInput, AgentLike
from mastra_core.errors import Conflict, NotFound
from mastra_core.memory import get_memory
from mastra_server.agents.suspended_runs import get_suspended_runs

__all__ = ("check_run_id", "check_thread_access")

_Request = Request[Any, Any, Any]


async def check_run_id(request: _Request, agent: AgentLike, run_input: AgentInput) -> None:
    """Check that a run does not replace another caller's suspended run: callers may choose run ids.

    :param request: the request.
    :param agent: the agent.
    :param run_input: the input of the new run.
    :raises Conflict: when the id belongs to a suspended run of another agent or resource.
    """
    try:
        run = await get_suspended_runs(request).get(run_input.run_id)
    except NotFound:
        return
    if (run.agent_id, run.run_input.resource) != (agent.id, run_input.resource):
        raise Conflict(f"The run id {run_input.run_id!r} belongs to another run.")


async def check_thread_access(agent: AgentLike, run_input: AgentInput) -> None:
    """Refuse a run in another resource's thread while the response can still have an error status.

    :param agent: the agent.
    :param run_input: the input of the run.
    :raises Forbidden: when the thread belongs to another resource.
    """
    memory = get_memory(agent)
    if memory is not None and run_input.thread:
        await memory.check_access(run_input.thread, run_input.resource)
