"""Plain functions as agents: the lightest there are."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from mastra_core.agents.events import AgentEvent, Failure, Finish, Start, StepFinish, TextDelta
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentInfo, AgentOutput, collect
from mastra_core.errors import ConfigError
from mastra_core.logger import logger_of
from mastra_core.schema import dump, hints_of
from mastra_core.words import words_of

__all__ = ("FunctionAgent",)


class FunctionAgent:
    """An async function or generator of one argument.

    Annotated ``AgentInput`` it gets the whole input, otherwise the text of the last user
    message. A function returns text, or any JSON-able object as a structured answer; a
    generator yields pieces of text, or events.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(function).parameters.values())
        if len(parameters) != 1:
            raise ConfigError(
                f"The agent function {_name(function)!r} takes {len(parameters)} arguments.",
                "Give it one: the user's text, or an AgentInput.",
            )
        self._function = function
        self._whole = hints_of(function).get(parameters[0].name) is AgentInput
        self.id = self.name = _name(function)
        self.description = (inspect.getdoc(function) or "").partition("\n")[0]

    def info(self) -> AgentInfo:
        """A function has nothing more to say."""
        return AgentInfo()

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run to the end."""
        return await collect(self.stream(input))

    async def stream(self, input: AgentInput, /) -> AsyncGenerator[AgentEvent, None]:
        """Run, giving the events as they happen."""
        yield Start()
        try:
            async for event in self._events(input if self._whole else input.prompt):
                yield event
        except Exception as error:  # noqa: BLE001  # user code may raise anything; it ends as an event
            yield failure(error, self.id)

    async def _events(self, argument: Any) -> AsyncIterator[AgentEvent]:
        if not inspect.isasyncgenfunction(self._function):
            answer = await self._function(argument)
            if isinstance(answer, str):
                yield TextDelta(text=answer)
            yield StepFinish()
            yield Finish(object=None if isinstance(answer, str) else dump(answer))
            return
        finished = False
        async for piece in self._function(argument):
            event = TextDelta(text=piece) if isinstance(piece, str) else piece
            if not isinstance(event, AgentEvent):
                raise TypeError(f"it yielded {type(event).__name__}, neither text nor an event")
            finished = finished or isinstance(event, Failure | Finish)
            yield event
        if not finished:
            yield StepFinish()
            yield Finish()


def _name(function: Callable[..., Any]) -> str:
    return getattr(
        getattr(function, "func", function), "__name__", ""
    )  # of a partial its function's


def failure(error: Exception, agent: str) -> Failure:
    """An exception as the event that ends a run; the traceback goes to the log only."""
    logger_of("mastra.agents").error("agent %r failed", agent, exc_info=error)
    return Failure(message=words_of(error), kind=type(error).__name__)
