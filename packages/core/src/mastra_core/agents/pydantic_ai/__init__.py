"""pydantic-ai underneath: raw agents adapted, the built-in ``Agent`` built.

Nothing here is imported before the first run, except to wrap an agent that a user made with
pydantic-ai and so has imported already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydantic_ai

from mastra_core.agents.pydantic_ai.output_types import output_type
from mastra_core.agents.pydantic_ai.runner import OwnAgent, PydanticAgent
from mastra_core.agents.pydantic_ai.tools import RunState, native_tool

if TYPE_CHECKING:
    from mastra_core.agents.agent import Agent

__all__ = ("adapt", "build")


def adapt(agent: pydantic_ai.Agent[Any, Any]) -> PydanticAgent:
    """A user's own pydantic-ai agent as one of ours."""
    name = agent.name or ""  # without one it goes by its registration key
    return PydanticAgent(agent, id=name, name=name, description=str(agent.description or ""))


def build(agent: Agent) -> OwnAgent:
    """The pydantic-ai agent that runs our built-in ``Agent``."""
    made: pydantic_ai.Agent[Any, Any] = pydantic_ai.Agent(
        name=agent.id,
        output_type=[output_type(agent.output), pydantic_ai.DeferredToolRequests],
        deps_type=RunState,
        retries=agent.retries,
        tools=[native_tool(item) for item in agent.callable_tools],
    )
    return OwnAgent(made, agent)
