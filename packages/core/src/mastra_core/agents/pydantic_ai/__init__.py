"""pydantic-ai underneath: raw agents adapted, the built-in ``Agent`` built.

Nothing here is imported before the first run, except to wrap an agent that a user made with
pydantic-ai and so has imported already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydantic_ai

from mastra_core.agents.pydantic_ai.output_types import to_native_output
from mastra_core.agents.pydantic_ai.runner import BuiltInAgent, PydanticAgent
from mastra_core.agents.pydantic_ai.tools import RunState, to_native_tool

if TYPE_CHECKING:
    from mastra_core.agents.agent import Agent

__all__ = ("adapt", "build_runner")


def adapt(agent: pydantic_ai.Agent[Any, Any]) -> PydanticAgent:
    """A user's own pydantic-ai agent as one of ours."""
    name = agent.name or ""  # without one it goes by its registration key
    return PydanticAgent(agent, id=name, name=name, description=str(agent.description or ""))


def build_runner(agent: Agent) -> BuiltInAgent:
    """The pydantic-ai agent that runs our built-in ``Agent``."""
    made: pydantic_ai.Agent[Any, Any] = pydantic_ai.Agent(
        name=agent.id,
        output_type=[to_native_output(agent.output), pydantic_ai.DeferredToolRequests],
        deps_type=RunState,
        retries=agent.retries,
        tools=[to_native_tool(item) for item in agent.callable_tools],
    )
    return BuiltInAgent(made, agent)
