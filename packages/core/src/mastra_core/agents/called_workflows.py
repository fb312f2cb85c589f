"""Cancel the workflow runs that the tool calls of an agent's run wait for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mastra_core.agents.events import ApprovalRequired, ToolSuspended
from mastra_core.errors import MastraError
from mastra_core.logger import get_logger

__all__ = ("cancel_called_workflows",)


async def cancel_called_workflows(
    agent: Any, run_id: str, resource: str, calls: Iterable[ApprovalRequired | ToolSuspended]
) -> None:
    """Cancel the runs of an agent's workflows that wait for the data of suspended calls.

    Otherwise, callers could still resume the runs, and the runs would count for their caller. A
    failure is only logged, because the run of the agent is canceled all the same.

    :param agent: the agent; an agent that has no workflows is ignored.
    :param run_id: the id of the agent's run.
    :param resource: the owner of the agent's run.
    :param calls: the calls that wait.
    """
    cancel = getattr(agent, "cancel_workflow", None)
    if cancel is None:
        return
    for call in calls:
        try:
            await cancel(call.name, run_id, call.id, resource)
        except MastraError as error:
            get_logger("mastra.agents").error(
                "the workflow of the canceled run %r cannot be canceled", run_id, exc_info=error
            )
