"""Store in a thread what an agent did until its run was canceled."""

from __future__ import annotations

from mastra_core.agents.events import Failure, Start
from mastra_core.agents.protocol import AgentLike
from mastra_core.durable_agents.agent_workflow import read_input
from mastra_core.durable_agents.run_reader import iter_agent_events
from mastra_core.errors import MastraError
from mastra_core.logger import get_logger
from mastra_core.memory.memory_agent import get_memory
from mastra_core.memory.run_memory import RunMemory
from mastra_core.workflows.engine.protocol import Run

__all__ = ("save_canceled_run",)


async def save_canceled_run(agent: AgentLike, run: Run) -> None:
    """Store the events of a canceled run in its thread, if it has one.

    The process that executed the run stores nothing, because it cannot know whether the run is
    canceled or another process continues it.

    :param agent: the agent.
    :param run: the run.
    """
    memory, run_input = get_memory(agent), read_input(run.record)
    if memory is None or not run_input.thread or run.record.status != "canceled":
        return
    try:
        run_memory = await RunMemory.start(agent, memory, run_input)
        async for event in iter_agent_events(run):
            if isinstance(event, Start):
                run_memory.message_id = event.message_id
            if not isinstance(event, Failure):
                run_memory.add(event)
        await run_memory.save()
    except MastraError as error:
        get_logger("mastra.memory").error(
            "the canceled run %r cannot be stored", run.record.run_id, exc_info=error
        )
