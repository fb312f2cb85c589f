"""Store in a thread what an agent did until its run was canceled."""

from __future__ import annotations

from contextlib import aclosing

from mastra_core.agents.events import (
    ApprovalRequired,
    Failure,
    Finish,
    Start,
    ToolResult,
    ToolSuspended,
)
from mastra_core.agents.protocol import AgentLike
from mastra_core.durable_agents.agent_workflow import read_input
from mastra_core.durable_agents.run_reader import iter_agent_events
from mastra_core.errors import MastraError
from mastra_core.logger import get_logger
from mastra_core.memory.canceled_calls import build_canceled_result
from mastra_core.memory.memory_agent import get_memory
from mastra_core.memory.run_memory import RunMemory
from mastra_core.workflows.engine.protocol import Run

__all__ = ("save_canceled_run",)


async def save_canceled_run(agent: AgentLike, run: Run) -> None:
    """Store the events of a canceled run in the thread of the run, if there is one.

    The process that executed the run stores nothing, because it cannot know whether the run is
    canceled or another process continues it.

    :param agent: the agent.
    :param run: the run.
    """
    memory, record = get_memory(agent), run.record
    if memory is None or record.status != "canceled" or record.input is None:  # never started
        return
    run_input = read_input(record)
    if not run_input.thread:
        return
    try:
        run_memory = await RunMemory.start(agent, memory, run_input)
        await _add_events(run_memory, run)
        await run_memory.save()
    except MastraError as error:
        get_logger("mastra.memory").error(
            "the canceled run %r cannot be stored", run.record.run_id, exc_info=error
        )


async def _add_events(run_memory: RunMemory, run: Run) -> None:
    """Add the events of a canceled run, and the results of its calls that nobody can decide."""
    waiting: dict[str, ApprovalRequired | ToolSuspended] = {}
    async with aclosing(iter_agent_events(run)) as events:
        async for event in events:
            if isinstance(event, Start):
                run_memory.message_id = event.message_id
            elif isinstance(event, ApprovalRequired | ToolSuspended):
                waiting[event.id] = event
            elif isinstance(event, ToolResult):
                waiting.pop(event.id, None)
            if not isinstance(event, Failure | Finish):  # a Finish that suspended the run
                run_memory.add(event)
    for call in waiting.values():
        run_memory.add(build_canceled_result(call))
