"""pydantic-ai: adapts users' agents and runs the built-in ``Agent``.

This package is imported at the first run of a built-in ``Agent``, or when a user registers an agent
of pydantic-ai. In the second case the user has imported pydantic-ai already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydantic_ai

from mastra_core.agents.pydantic_ai.output_types import to_native_output
from mastra_core.agents.pydantic_ai.runner import BuiltInAgent, PydanticAgent
from mastra_core.agents.pydantic_ai.tools import RunState, to_native_tool

if TYPE_CHECKING:
    from mastra_core.agents.definition import AgentDefinition

__all__ = ("adapt", "build_runner")


def adapt(agent: pydantic_ai.Agent[Any, Any]) -> PydanticAgent:
    """Convert a user's pydantic-ai agent to an agent of mastra.

    :param agent: the pydantic-ai agent.
    """
    name = agent.name or ""  # an agent without a name is named after its registration key
    return PydanticAgent(agent, id=name, name=name, description=str(agent.description or ""))


def build_runner(agent: AgentDefinition) -> BuiltInAgent:
    """Build the pydantic-ai agent that runs the built-in ``Agent``.

    :param agent: the description of the agent.
    """
    native: pydantic_ai.Agent[Any, Any] = pydantic_ai.Agent(
        name=agent.id,
        output_type=[to_native_output(agent.output), pydantic_ai.DeferredToolRequests],
        deps_type=RunState,
        retries=agent.retries,
        tools=[to_native_tool(item) for item in agent.callable_tools],
    )
    return BuiltInAgent(native, agent)
