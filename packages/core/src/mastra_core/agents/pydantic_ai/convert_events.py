"""Convert pydantic-ai's events during a run."""

from __future__ import annotations

from typing import Any

import pydantic_ai
from pydantic_ai import messages as native

from mastra_core.agents.events import (
    AgentEvent,
    StepFinish,
    ToolCall,
    ToolOutput,
    ToolResult,
    Usage,
)
from mastra_core.agents.pydantic_ai.answer_stream import AnswerShape
from mastra_core.agents.pydantic_ai.convert_parts import to_events, to_tool_call, to_usage
from mastra_core.agents.pydantic_ai.run_overrides import RunStopped
from mastra_core.agents.pydantic_ai.run_result import (
    build_end_events,
    build_stop_events,
    subtract_usage,
    to_tool_result,
)
from mastra_core.agents.pydantic_ai.tool_inputs import ToolInputConverter
from mastra_core.agents.pydantic_ai.tools import ToolOutputEvent

__all__ = ("EventConverter",)


class EventConverter:
    """Converts the events of pydantic-ai, and finds the end of each model turn.

    :param run: the running pydantic-ai agent.
    :param shape: the shape of a structured answer; ``None`` if it is unknown.
    """

    def __init__(self, run: Any, shape: AnswerShape | None = None) -> None:
        self._run = run
        self._calls: dict[str, ToolCall] = {}
        self._inputs = ToolInputConverter(shape)
        self._has_shape = shape is not None
        self._reason = ""  # why the current turn has ended, if its calls have results
        self._counted_usage = Usage()

    def convert(self, event: Any) -> list[AgentEvent]:
        """Convert one event of pydantic-ai.

        :param event: pydantic-ai's event.
        :returns: the events; empty if pydantic-ai's event has no counterpart.
        """
        match event:
            case native.PartStartEvent() | native.PartDeltaEvent() | native.PartEndEvent():
                return self._convert_part(event)
            case native.FunctionToolCallEvent():
                return [self._convert_call(event.part)]
            case native.FunctionToolResultEvent():
                return [self._convert_result(event.part)]
            case ToolOutputEvent():
                call, name = event.tool_call_id or "", event.tool_name or ""
                return [ToolOutput(id=call, name=name, output=event.output)]
            case pydantic_ai.AgentRunResultEvent():
                is_structured = self._inputs.end_answer() or self._has_shape
                return build_end_events(
                    event.result, self._counted_usage, is_structured=is_structured
                )
            case _:
                return []

    def _convert_part(self, event: Any) -> list[AgentEvent]:
        is_first = isinstance(event, native.PartStartEvent) and event.index == 0
        if is_first and self._inputs.end_answer():  # a new response corrects the answer
            self._reason = self._reason or "retry"
        inputs = self._inputs.convert(event)
        match event:
            case native.PartStartEvent():
                return [*self._close_turn(), *to_events(event.part), *inputs]
            case native.PartDeltaEvent():
                return [*to_events(event.delta), *inputs]
            case _:
                return inputs

    def finish_stopped(self, stop: RunStopped) -> list[AgentEvent]:
        """Return the last events of a run that a stop condition ended.

        :param stop: the exception that the stop condition raised.
        """
        return build_stop_events(stop.messages, stop.usage, self._counted_usage)

    def _close_turn(self) -> list[AgentEvent]:
        """End the turn if its tool calls have results and the model now writes again."""
        if not self._reason:
            return []
        reason, self._reason = self._reason, ""
        total, before = to_usage(self._run.usage), self._counted_usage
        self._counted_usage = total
        return [StepFinish(reason=reason, continued=True, usage=subtract_usage(total, before))]

    def _convert_call(self, part: native.ToolCallPart) -> ToolCall:
        call = to_tool_call(part)
        self._calls[call.id] = call
        return call

    def _convert_result(self, part: Any) -> ToolResult:
        self._reason = "tool-calls"
        return to_tool_result(part, self._calls)
