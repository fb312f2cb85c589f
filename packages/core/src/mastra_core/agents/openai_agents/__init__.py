"""Agents of the OpenAI Agents SDK.

Nothing here is imported before somebody registers such an agent, and so has imported the SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_core.errors import ConfigError

if TYPE_CHECKING:
    from mastra_core.agents.openai_agents.runner import OpenAIAgent

__all__ = ("adapt",)


def adapt(agent: Any) -> OpenAIAgent:
    """A user's agent of the SDK as one of ours.

    :raises ConfigError: when it is of another package that is called ``agents`` as well.
    """
    import agents

    kind = getattr(agents, "Agent", None)
    if kind is None or not hasattr(agents, "RunState") or not isinstance(agent, kind):
        raise ConfigError(
            f"{agent!r} is of a package called 'agents', which is not the OpenAI Agents SDK.",
            "Pass an Agent, an async function, or an object with the protocol of an agent.",
        )
    from mastra_core.agents.openai_agents.runner import OpenAIAgent

    return OpenAIAgent(agent)
