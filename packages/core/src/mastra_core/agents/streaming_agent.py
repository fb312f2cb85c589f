"""The base of agents whose framework has only one way to run: as a stream of events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Any

from mastra_core.agents.events import AgentEvent
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentOutput, FrameworkTool, collect

__all__ = ("StreamingAgent",)


class StreamingAgent(ABC):
    """Runs ``generate`` as a stream, and builds the output from its events.

    The optional attributes of an agent are defined here, because each listing of agents reads them,
    and a wrapper takes ten times as long to find that an attribute is missing.
    """

    memory: Any = None
    input_processors: Sequence[Any] = ()
    output_processors: Sequence[Any] = ()

    @property
    def framework_tools(self) -> Sequence[FrameworkTool]:
        """The tools that only the agent's framework can call."""
        return ()

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run the agent to the end, and return its output.

        :param input: the input of the run.
        :raises AgentFailed: when the run fails.
        """
        return await collect(self.stream(input))

    @abstractmethod
    def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        """Run the agent and yield its events; a failed run ends with ``Failure``.

        :param input: the input of the run.
        """
