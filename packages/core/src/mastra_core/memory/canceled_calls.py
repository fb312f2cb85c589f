"""Record in a thread that the waiting calls of a run were canceled."""

from __future__ import annotations

from mastra_core.agents.events import ApprovalRequired, ToolResult, ToolSuspended
from mastra_core.agents.messages import Decision
from mastra_core.agents.protocol import AgentLike
from mastra_core.agents.suspended_runs import SuspendedRun
from mastra_core.errors import MastraError
from mastra_core.logger import get_logger
from mastra_core.memory.memory_agent import get_memory
from mastra_core.memory.run_memory import RunMemory

__all__ = ("build_canceled_result", "save_canceled_calls")


async def save_canceled_calls(agent: AgentLike, run: SuspendedRun) -> None:
    """Store the waiting calls of a suspended run as failed, if the run has a thread.

    If the thread cannot be read or written, the failure is only logged, because the run is canceled
    all the same.

    :param agent: the agent.
    :param run: the run, which nobody can resume any more.
    """
    memory = get_memory(agent)
    if memory is None or not run.run_input.thread:
        return
    run_input = run.to_input({call.id: Decision(approved=False) for call in run.waiting})
    try:
        run_memory = await RunMemory.start(agent, memory, run_input)
        for call in run.waiting:
            run_memory.add(build_canceled_result(call))
        await run_memory.save()
    except MastraError as error:
        get_logger("mastra.memory").error(
            "the canceled run %r cannot be stored", run.run_id, exc_info=error
        )


def build_canceled_result(call: ApprovalRequired | ToolSuspended) -> ToolResult:
    """Build the result of a call that waited for a decision when its run was canceled.

    :param call: the call.
    """
    return ToolResult(
        id=call.id,
        name=call.name,
        arguments=call.arguments,
        result="The run was canceled.",
        failed=True,
    )
