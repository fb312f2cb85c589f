"""Convert the arguments of tool calls to events while the model writes them."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic_ai import messages as native

from mastra_core.agents.events import AgentEvent, ToolInputDelta, ToolInputEnd, ToolInputStart
from mastra_core.agents.pydantic_ai.answer_stream import AnswerShape, AnswerStream
from mastra_core.agents.pydantic_ai.run_result import OUTPUT_TOOL

__all__ = ("ToolInputConverter", "format_arguments")


class ToolInputConverter:
    """Converts the arguments of tool calls.

    If the model gives its answer as a tool call, the arguments of the call are the text of the
    answer. Further answers in the same turn are ignored.

    :param shape: the shape of the answer; ``None`` if it is unknown.
    """

    def __init__(self, shape: AnswerShape | None) -> None:
        self._calls: dict[int, native.ToolCallPart] = {}
        self._shape = shape
        self._answer: AnswerStream | None = None
        self._answer_index = -1

    def convert(self, event: Any) -> list[AgentEvent]:
        """Convert one event of the model's stream.

        :param event: pydantic-ai's event.
        :returns: the events; empty for an event that is not about the arguments of a call.
        """
        match event:
            case native.PartDeltaEvent(delta=native.ToolCallPartDelta() as delta):
                return self._continue_call(event.index, delta.args_delta)
            case native.PartStartEvent(part=native.ToolCallPart() as part):
                return self._start_call(event.index, part)
            case native.PartEndEvent(part=native.ToolCallPart()):
                return self._end_call(event.index)
            case _:
                return []

    def end_answer(self) -> bool:
        """Return whether the turn has an answer, and prepare for the next turn."""
        has_answer, self._answer = self._answer is not None, None
        return has_answer

    def _start_call(self, index: int, part: native.ToolCallPart) -> list[AgentEvent]:
        if part.tool_name.startswith(OUTPUT_TOOL):
            return self._start_answer(index, part)
        self._calls[index] = part
        start = ToolInputStart(id=part.tool_call_id, name=part.tool_name)
        return [start, *_build_delta(part, format_arguments(part.args))]

    def _start_answer(self, index: int, part: native.ToolCallPart) -> list[AgentEvent]:
        if self._answer is not None:
            return []
        self._answer, self._answer_index = AnswerStream(self._shape), index
        return self._answer.add(format_arguments(part.args))

    def _continue_call(self, index: int, delta: Any) -> list[AgentEvent]:
        if self._answer is not None and index == self._answer_index:
            return self._answer.add(format_arguments(delta))
        part = self._calls.get(index)
        return _build_delta(part, delta) if part and isinstance(delta, str) else []

    def _end_call(self, index: int) -> list[AgentEvent]:
        part = self._calls.pop(index, None)
        return [ToolInputEnd(id=part.tool_call_id, name=part.tool_name)] if part else []


def format_arguments(arguments: Any) -> str:
    """Return the arguments of a call, or a piece of them, as text.

    :param arguments: a piece of JSON text, or a complete object.
    """
    if isinstance(arguments, str):
        return arguments
    return msgspec.json.encode(arguments).decode() if arguments else ""


def _build_delta(part: native.ToolCallPart, text: str) -> list[AgentEvent]:
    if not text:
        return []
    return [ToolInputDelta(id=part.tool_call_id, name=part.tool_name, text=text)]
