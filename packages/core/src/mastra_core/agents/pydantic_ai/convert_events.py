"""pydantic-ai's events told as ours, as they happen."""

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
from mastra_core.agents.pydantic_ai.convert_parts import to_events, to_tool_call, to_usage
from mastra_core.agents.pydantic_ai.run_overrides import RunStopped
from mastra_core.agents.pydantic_ai.run_result import (
    build_end_events,
    build_stop_events,
    subtract_usage,
    to_tool_result,
)
from mastra_core.agents.pydantic_ai.tools import ToolOutputEvent

__all__ = ("EventConverter",)


class EventConverter:
    """Tells pydantic-ai's events as ours, and where one model turn ends and the next begins."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._calls: dict[str, ToolCall] = {}
        self._answered = False
        self._counted = Usage()

    def convert(self, event: Any) -> list[AgentEvent]:
        """What one event means here; nothing, where it means nothing."""
        match event:
            case native.PartStartEvent():
                return [*self._turn(), *to_events(event.part)]
            case native.PartDeltaEvent():
                return to_events(event.delta)
            case native.FunctionToolCallEvent():
                return [self._call(event.part)]
            case native.FunctionToolResultEvent():
                return [self._result(event.part)]
            case ToolOutputEvent():
                call, name = event.tool_call_id or "", event.tool_name or ""
                return [ToolOutput(id=call, name=name, output=event.output)]
            case pydantic_ai.AgentRunResultEvent():
                return build_end_events(event.result, self._counted)
            case _:
                return []

    def finish_stopped(self, stop: RunStopped) -> list[AgentEvent]:
        """How a run ends that a condition stopped."""
        return build_stop_events(stop.messages, stop.usage, self._counted)

    def _turn(self) -> list[AgentEvent]:
        """The model speaks after tools have answered: the turn that asked for them is over."""
        if not self._answered:
            return []
        self._answered = False
        total, before = to_usage(self._run.usage), self._counted
        self._counted = total
        return [
            StepFinish(reason="tool-calls", continued=True, usage=subtract_usage(total, before))
        ]

    def _call(self, part: native.ToolCallPart) -> ToolCall:
        call = to_tool_call(part)
        self._calls[call.id] = call
        return call

    def _result(self, part: Any) -> ToolResult:
        self._answered = True
        return to_tool_result(part, self._calls)
