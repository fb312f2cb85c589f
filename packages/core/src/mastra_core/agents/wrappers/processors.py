"""Functions that check or change the input and the events of an agent's runs."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import TypeAlias

from mastra_core.agents.close_stream import close_at_end
from mastra_core.agents.events import AgentEvent, Finish, Start
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentLike, AgentOutput, build_agent_error, collect
from mastra_core.agents.run_failures import to_application_failure
from mastra_core.agents.wrappers.agent_wrapper import AgentWrapper
from mastra_core.errors import ConfigError

__all__ = ("InputProcessor", "OutputProcessor", "ProcessedAgent")

InputProcessor: TypeAlias = Callable[[AgentInput], AgentInput | Awaitable[AgentInput]]
OutputProcessor: TypeAlias = Callable[[AsyncIterator[AgentEvent]], AsyncIterator[AgentEvent]]


class ProcessedAgent(AgentWrapper):
    """Runs an agent with processors of its input and of its events.

    :param agent: the agent to run.
    :param inputs: functions that return the input of a run, or raise an error to refuse the run.
    :param outputs: async generators that get the events of a run, and yield events.
    """

    def __init__(
        self,
        agent: AgentLike,
        inputs: Sequence[InputProcessor],
        outputs: Sequence[OutputProcessor],
    ) -> None:
        super().__init__(agent)
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run the agent to the end, and return its output.

        :param input: the input of the run.
        :raises AgentFailed: when the run fails, or a processor refuses it.
        """
        if self._outputs:
            return await collect(self.stream(input))
        try:
            run_input = await self._process_input(input)
        except Exception as error:
            raise build_agent_error(to_application_failure(error, self.id), ()) from error
        return await self._agent.generate(run_input)

    async def stream(self, input: AgentInput, /) -> AsyncGenerator[AgentEvent, None]:
        """Run the agent and yield its events; a failed run ends with ``Failure``.

        :param input: the input of the run.
        """
        has_started = False
        try:
            run_input = await self._process_input(input)
            async with AsyncExitStack() as stack:
                events = await stack.enter_async_context(
                    close_at_end(self._agent.stream(run_input))
                )
                for processor in self._outputs:
                    events = await stack.enter_async_context(close_at_end(processor(events)))
                async for event in events:
                    has_started = True
                    yield self._drop_history(event)
        except Exception as error:  # noqa: BLE001  # a processor may raise anything
            if not has_started:
                yield Start()
            yield to_application_failure(error, self.id)

    async def _process_input(self, run_input: AgentInput) -> AgentInput:
        for processor in self._inputs:
            result = processor(run_input)
            run_input = await result if inspect.isawaitable(result) else result
            if not isinstance(run_input, AgentInput):
                raise ConfigError(
                    f"An input processor returned {type(run_input).__name__!r}.",
                    "Return the AgentInput.",
                )
        return run_input

    def _drop_history(self, event: AgentEvent) -> AgentEvent:
        """Remove the history of a finished run, which has what output processors have removed."""
        if not self._outputs or not isinstance(event, Finish) or event.reason == "suspended":
            return event
        names = (name for name in Finish.__struct_fields__ if name != "history")
        return Finish(**{name: getattr(event, name) for name in names})
