"""Agents of the OpenAI Agents SDK.

This package imports the SDK. The package is imported only when a user registers an agent of the
SDK, so the user has already imported the SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_core.errors import ConfigError

if TYPE_CHECKING:
    from mastra_core.agents.openai_agents.runner import OpenAIAgent

__all__ = ("adapt",)


def adapt(agent: Any) -> OpenAIAgent:
    """Convert a user's agent of the SDK to an agent of mastra.

    :param agent: an ``agents.Agent``.
    :raises ConfigError: when the agent is from another package with the name ``agents``.
    """
    import agents

    kind = getattr(agents, "Agent", None)
    if kind is None or not hasattr(agents, "RunState") or not isinstance(agent, kind):
        raise ConfigError(
            f"{agent!r} comes from a package named 'agents' that is not the OpenAI Agents SDK.",
            "Pass an Agent, an async function, or an object with the protocol of an agent.",
        )
    from mastra_core.agents.openai_agents.runner import OpenAIAgent

    return OpenAIAgent(agent)
