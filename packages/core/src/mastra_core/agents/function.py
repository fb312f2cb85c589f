"""Plain functions as agents."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from mastra_core.agents.events import AgentEvent, Failure, Finish, Start, StepFinish, TextDelta
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentInfo
from mastra_core.agents.run_failures import to_application_failure
from mastra_core.agents.streaming_agent import StreamingAgent
from mastra_core.agents.telemetry.run_metrics import measure_runs
from mastra_core.arguments.function_parameters import get_signature
from mastra_core.errors import ConfigError
from mastra_core.json_repair import repair_text
from mastra_core.override import override
from mastra_core.schema import dump, encode_json, resolve_hints

__all__ = ("FunctionAgent",)

_NO_INFO = AgentInfo()


class FunctionAgent(StreamingAgent):
    """An agent that calls an async function or generator with one parameter.

    A parameter annotated with ``AgentInput`` receives the whole input. Any other parameter receives
    the text of the last user message. A function returns text, or any JSON-able object as a
    structured answer. A generator yields pieces of text, or events.

    :param function: the function or generator.
    :raises ConfigError: when the function does not have exactly one parameter, apart from
        keyword-only parameters with a default.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        inner = function.func if isinstance(function, functools.partial) else function
        name = getattr(inner, "__name__", "")
        every = get_signature(function).parameters.values()
        keywords = [each for each in every if each.kind in (each.KEYWORD_ONLY, each.VAR_KEYWORD)]
        parameters = [each for each in every if each not in keywords]
        required = [each for each in keywords if each.kind is each.KEYWORD_ONLY]
        required = [each for each in required if each.default is each.empty]
        if len(parameters) != 1 or required:
            raise ConfigError(
                f"The agent function {name!r} takes {len(parameters) + len(required)} arguments.",
                "Give the function one parameter: the user's text, or an AgentInput.",
            )
        self._function = function
        self._takes_input = resolve_hints(inner).get(parameters[0].name) is AgentInput
        self.id = self.name = name
        self.description = (inspect.getdoc(inner) or "").partition("\n")[0]

    def info(self) -> AgentInfo:
        """Return an empty description, because nothing is known about a function."""
        return _NO_INFO

    @override
    @measure_runs
    async def stream(self, input: AgentInput, /) -> AsyncGenerator[AgentEvent, None]:
        yield Start()
        try:
            argument = input if self._takes_input else input.prompt
            async with aclosing(self._iter_events(argument)) as events:
                async for event in events:
                    yield event
        except Exception as error:  # noqa: BLE001  # user code may raise anything; it ends as an event
            yield to_application_failure(error, self.id)

    async def _iter_events(self, argument: Any) -> AsyncGenerator[AgentEvent]:
        if not inspect.isasyncgenfunction(self._function):
            answer = await self._function(argument)
            if isinstance(answer, str):
                yield TextDelta(text=repair_text(answer))
            yield StepFinish()
            yield Finish(object=None if isinstance(answer, str) else dump(answer))
            return
        finished = False
        async with aclosing(self._function(argument)) as pieces:
            async for piece in pieces:
                event = _to_event(piece)
                finished = finished or isinstance(event, Failure | Finish)
                yield event
        if not finished:
            yield StepFinish()
            yield Finish()


def _to_event(piece: Any) -> AgentEvent:
    event = TextDelta(text=repair_text(piece)) if isinstance(piece, str) else piece
    if not isinstance(event, AgentEvent):
        name = type(event).__name__
        raise TypeError(f"the agent function yielded {name}, which is neither text nor an event")
    encode_json(event)  # an event that cannot be JSON fails the run here, not its readers
    return event
