"""Convert one turn of the model to events, after the turn or during its stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_ai import messages as native

from mastra_core.agents.events import AgentEvent, TextDelta
from mastra_core.agents.pydantic_ai.answer_stream import AnswerShape, AnswerStream
from mastra_core.agents.pydantic_ai.convert_parts import to_events, to_tool_call
from mastra_core.agents.pydantic_ai.run_result import OUTPUT_TOOL
from mastra_core.agents.pydantic_ai.tool_inputs import ToolInputConverter, format_arguments

__all__ = ("TurnConverter", "iter_response_events")


def iter_response_events(response: native.ModelResponse) -> Iterator[AgentEvent]:
    """Yield the events of a whole turn.

    :param response: the model's response.
    """
    answered = False
    for part in response.parts:
        if not isinstance(part, native.ToolCallPart) or part.tool_name != OUTPUT_TOOL:
            yield from _convert_part(part)
        elif not answered:  # a model may call the tool for the answer again
            answered = True
            yield from AnswerStream(None).add(format_arguments(part.args))


class TurnConverter:
    """Converts a turn while it streams.

    :param shape: the shape of a structured answer; ``None`` for text.
    """

    def __init__(self, shape: AnswerShape | None) -> None:
        self._inputs = ToolInputConverter(shape)
        self._shape = shape
        self._text: AnswerStream | None = None

    def convert(self, event: Any) -> list[AgentEvent]:
        """Convert one event of the model's stream.

        :param event: pydantic-ai's event.
        :returns: the events; empty if pydantic-ai's event has no counterpart.
        """
        match event:
            case native.PartDeltaEvent(delta=native.ToolCallPartDelta()):
                return self._inputs.convert(event)
            case native.PartDeltaEvent():
                return self._convert_text(to_events(event.delta))
            case native.PartStartEvent(part=native.ToolCallPart()):
                return self._inputs.convert(event)
            case native.PartStartEvent():
                return self._convert_text(to_events(event.part), is_start=True)
            case native.PartEndEvent(part=native.ToolCallPart() as part):
                return [*self._inputs.convert(event), *_convert_part(part)]
            case _:
                return []

    def _convert_text(
        self, events: list[AgentEvent], *, is_start: bool = False
    ) -> list[AgentEvent]:
        """Add the partial answer to the events, if the model writes the answer as text."""
        if self._shape is None:
            return events
        if is_start:
            self._text = AnswerStream(self._shape)
        return [
            each
            for event in events
            for each in (
                self._text.add(event.text)
                if self._text is not None and isinstance(event, TextDelta)
                else (event,)
            )
        ]


def _convert_part(part: Any) -> list[AgentEvent]:
    if not isinstance(part, native.ToolCallPart):
        return to_events(part)
    return [] if part.tool_name == OUTPUT_TOOL else [to_tool_call(part)]
