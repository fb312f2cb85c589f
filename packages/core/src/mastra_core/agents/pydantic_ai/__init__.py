"""Adapt users' pydantic-ai agents, and convert the messages, models and errors of pydantic-ai.

The built-in ``Agent`` does not run as a pydantic-ai agent: its loop (``mastra_core.agents.loop``)
uses only these conversions. A user who registers an agent of pydantic-ai has imported pydantic-ai
already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pydantic_ai

    from mastra_core.agents.pydantic_ai.runner import PydanticAgent

__all__ = ("adapt",)


def adapt(agent: pydantic_ai.Agent[Any, Any]) -> PydanticAgent:
    """Convert a user's pydantic-ai agent to an agent of mastra.

    :param agent: the pydantic-ai agent.
    """
    from mastra_core.agents.pydantic_ai.runner import PydanticAgent

    name = agent.name or ""  # an agent without a name is named after its registration key
    return PydanticAgent(agent, id=name, name=name, description=str(agent.description or ""))
