"""The base of agents that run another agent and describe themselves as that agent does."""

from __future__ import annotations

from typing import Any

from mastra_core.agents.protocol import AgentInfo, AgentLike

__all__ = ("AgentWrapper",)


class AgentWrapper:
    """Runs another agent, and reads attributes that a subclass does not define from that agent.

    :param agent: the agent to run.
    """

    def __init__(self, agent: AgentLike) -> None:
        self._agent = agent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._agent, name)

    @property
    def id(self) -> str:
        """Id of the agent."""
        return self._agent.id

    @property
    def name(self) -> str:
        """Display name of the agent."""
        return self._agent.name

    @property
    def description(self) -> str:
        """What the agent is for."""
        return self._agent.description

    def info(self) -> AgentInfo:
        """Describe the agent without running it."""
        return self._agent.info()
