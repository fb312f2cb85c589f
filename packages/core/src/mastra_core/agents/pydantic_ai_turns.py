"""pydantic-ai's events told as ours."""

from __future__ import annotations

from typing import Any

import pydantic_ai
from pydantic_ai import messages as native

from mastra_core.agents.events import (
    AgentEvent,
    ApprovalRequired,
    Finish,
    ReasoningDelta,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
    Usage,
)
from mastra_core.schema import dump

__all__ = ("Turns",)


class Turns:
    """Tells pydantic-ai's events as ours, and where one model turn ends and the next begins."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._calls: dict[str, ToolCall] = {}
        self._answered = False
        self._counted = Usage()

    def tell(self, event: Any) -> list[AgentEvent]:
        """What one event means here; nothing, where it means nothing."""
        match event:
            case native.PartStartEvent():
                return [*self._turn(), *_delta(event.part)]
            case native.PartDeltaEvent():
                return _delta(event.delta)
            case native.FunctionToolCallEvent():
                return [self._call(event.part)]
            case native.FunctionToolResultEvent():
                return [self._result(event.part)]
            case pydantic_ai.AgentRunResultEvent():
                return self._end(event.result)
            case _:
                return []

    def _turn(self) -> list[AgentEvent]:
        """The model speaks after tools have answered: the turn that asked for them is over."""
        if not self._answered:
            return []
        self._answered = False
        return [StepFinish(reason="tool-calls", continued=True, usage=self._since())]

    def _call(self, part: native.ToolCallPart) -> ToolCall:
        call = ToolCall(id=part.tool_call_id, name=part.tool_name, arguments=_arguments_of(part))
        self._calls[call.id] = call
        return call

    def _result(self, part: Any) -> ToolResult:
        self._answered = True
        call = self._calls.get(part.tool_call_id)
        return ToolResult(
            id=part.tool_call_id,
            name=part.tool_name or (call.name if call else ""),
            arguments=call.arguments if call else {},
            result=dump(part.content),
            failed=part.outcome != "success",
        )

    def _end(self, result: Any) -> list[AgentEvent]:
        output = result.output
        total, history = _usage(result.usage), result.all_messages_json()
        if isinstance(output, pydantic_ai.DeferredToolRequests):
            return [
                *(
                    ApprovalRequired(
                        id=part.tool_call_id, name=part.tool_name, arguments=_arguments_of(part)
                    )
                    for part in output.approvals
                ),
                Finish(reason="suspended", usage=total, history=history),
            ]
        return [
            StepFinish(usage=self._since()),
            Finish(
                object=None if isinstance(output, str) else dump(output),
                usage=total,
                history=history,
            ),
        ]

    def _since(self) -> Usage:
        total = _usage(self._run.usage)
        since = Usage(
            input_tokens=total.input_tokens - self._counted.input_tokens,
            output_tokens=total.output_tokens - self._counted.output_tokens,
        )
        self._counted = total
        return since


def _delta(part: Any) -> list[AgentEvent]:
    match part:
        case native.TextPart(content=text) | native.TextPartDelta(content_delta=text) if text:
            return [TextDelta(text=text)]
        case native.ThinkingPart(content=text) | native.ThinkingPartDelta(content_delta=text) if (
            text
        ):
            return [ReasoningDelta(text=text)]
        case _:
            return []


def _arguments_of(part: native.ToolCallPart) -> dict[str, Any]:
    try:
        return part.args_as_dict()
    except ValueError:  # a model may write broken JSON; pydantic-ai then asks it to try again
        return {"raw": part.args}


def _usage(usage: Any) -> Usage:
    return Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
