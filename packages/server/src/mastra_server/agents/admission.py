"""Check whether a run may start, before the response begins."""

from __future__ import annotations

from mastra_core.agents import AgentInput, AgentLike
from mastra_core.memory import get_memory

__all__ = ("check_thread_access",)


async def check_thread_access(agent: AgentLike, run_input: AgentInput) -> None:
    """Refuse a run in another resource's thread, before the response begins.

    :param agent: the agent.
    :param run_input: the input of the run.
    :raises Forbidden: when the thread belongs to another resource.
    """
    memory = get_memory(agent)
    if memory is not None and run_input.thread:
        await memory.check_access(run_input.thread, run_input.resource)
