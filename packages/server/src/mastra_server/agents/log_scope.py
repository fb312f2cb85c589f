"""Name the agent and the run in the log lines of a run."""

from __future__ import annotations

from mastra_core.agents import AgentInput, AgentLike
from mastra_core.logs.log_fields import set_log_fields

__all__ = ("enter_log_scope",)


def enter_log_scope(agent: AgentLike, run_input: AgentInput) -> None:
    """Add the agent, the run and the run's resource to later log lines of the current task.

    :param agent: the agent.
    :param run_input: the input of the run.
    """
    resource = {"resource_id": run_input.resource} if run_input.resource else {}
    set_log_fields(agent=agent.id, run_id=run_input.run_id, **resource)
