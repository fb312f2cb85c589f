"""Call every registered agent in the same way as the built-in agent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Protocol

from mastra_core.agents.events import AgentEvent
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentLike, AgentOutput
from mastra_core.agents.wrappers.agent_wrapper import AgentWrapper

if TYPE_CHECKING:
    from typing import Unpack

    from mastra_core.agents.options import RunOptions

__all__ = ("AgentWithOptions", "RegisteredAgent")


class RegisteredAgent(AgentLike, Protocol):
    """An agent of any framework, as ``Mastra.get_agent`` returns it."""

    async def generate(
        self, input: AgentInput | str, /, **overrides: Unpack[RunOptions]
    ) -> AgentOutput:
        """Run the agent to the end, and return its output.

        :param input: the whole input, or the user's message.
        :param overrides: fields of ``AgentInput`` that replace those of ``input``.
        :raises AgentFailed: when the run fails.
        """

    def stream(
        self, input: AgentInput | str, /, **overrides: Unpack[RunOptions]
    ) -> AsyncIterator[AgentEvent]:
        """Run the agent and yield its events; a failed run ends with ``Failure``.

        :param input: the whole input, or the user's message.
        :param overrides: fields of ``AgentInput`` that replace those of ``input``.
        """


class AgentWithOptions(AgentWrapper):
    """Runs an agent that takes an ``AgentInput`` only with a text and options, too.

    :param agent: the agent to run.
    """

    async def generate(self, input: AgentInput | str, /, **overrides: Any) -> AgentOutput:
        """Run the agent to the end, and return its output.

        :param input: the whole input, or the user's message.
        :param overrides: fields of ``AgentInput`` that replace those of ``input``.
        :raises AgentFailed: when the run fails.
        """
        return await self._agent.generate(AgentInput.from_value(input, overrides))

    def stream(self, input: AgentInput | str, /, **overrides: Any) -> AsyncIterator[AgentEvent]:
        """Run the agent and yield its events; a failed run ends with ``Failure``.

        :param input: the whole input, or the user's message.
        :param overrides: fields of ``AgentInput`` that replace those of ``input``.
        """
        return self._agent.stream(AgentInput.from_value(input, overrides))
