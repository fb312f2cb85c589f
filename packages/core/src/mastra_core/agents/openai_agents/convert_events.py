"""The SDK's events told as ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_core.agents.events import (
    AgentEvent,
    ReasoningDelta,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
    Usage,
)
from mastra_core.agents.messages import Decision
from mastra_core.schema import dump

__all__ = ("EventConverter", "to_tool_call", "to_usage")

_REASONING = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")


class EventConverter:
    """Tells the SDK's events as ours, and where one model turn ends and the next begins.

    :param decisions: about the calls that waited when the run was suspended.
    :param waited: those calls.
    """

    def __init__(self, decisions: Mapping[str, Decision], waited: list[ToolCall]) -> None:
        self._decisions = decisions
        self._calls = {call.id: call for call in waited}
        self._told = set(self._calls)
        self._answered = False
        self._usage = Usage()

    def convert(self, event: Any) -> list[AgentEvent]:
        """What one event means here; nothing, where it means nothing."""
        if event.type == "raw_response_event":
            return self._raw(event.data)
        if event.type != "run_item_stream_event":
            return []
        if event.name in ("tool_called", "handoff_requested"):
            return self._call(event.item.raw_item)
        if event.name == "tool_output":
            return self._result(event.item.raw_item, event.item.output)
        if event.name == "handoff_occured":
            return self._result(event.item.raw_item, event.item.target_agent.name)
        return []

    def finish_turn(self, reason: str) -> StepFinish:
        """The end of the turn that was the last."""
        return StepFinish(reason=reason, usage=self._usage)

    def _raw(self, data: Any) -> list[AgentEvent]:
        if data.type == "response.output_text.delta" and data.delta:
            return [*self._turn(), TextDelta(text=data.delta)]
        if data.type in _REASONING and data.delta:
            return [*self._turn(), ReasoningDelta(text=data.delta)]
        if data.type == "response.created":
            return self._turn()
        if data.type == "response.completed":
            self._usage += to_usage(data.response.usage)
        return []

    def _turn(self) -> list[AgentEvent]:
        """The model speaks after tools have answered: the turn that asked for them is over."""
        if not self._answered:
            return []
        self._answered, usage, self._usage = False, self._usage, Usage()
        return [StepFinish(reason="tool-calls", continued=True, usage=usage)]

    def _call(self, raw: Any) -> list[AgentEvent]:
        call = to_tool_call(raw)
        if call.id in self._told:  # it was, before the run waited
            return []
        self._calls[call.id] = call
        return [*self._turn(), call]

    def _result(self, raw: Any, output: Any) -> list[AgentEvent]:
        self._answered = True
        id_ = raw["call_id"] if isinstance(raw, dict) else raw.call_id
        call = self._calls.get(id_) or ToolCall(id=id_, name="", arguments={})
        declined = not self._decisions.get(id_, Decision()).approved
        return [
            ToolResult(
                id=id_,
                name=call.name,
                arguments=call.arguments,
                result=dump(output),
                failed=declined,
            )
        ]


def to_tool_call(raw: Any) -> ToolCall:
    """A function call, or a tool of the provider's own, as our event."""
    data = raw if isinstance(raw, dict) else raw.model_dump(exclude_unset=True)
    id_ = data.get("call_id") or data.get("id") or ""
    name = data.get("name") or str(data.get("type", "")).removesuffix("_call")
    return ToolCall(id=id_, name=name, arguments=_arguments(data.get("arguments")))


def to_usage(usage: Any) -> Usage:
    """The SDK's count as ours; providers leave out what they do not count."""
    if usage is None:
        return Usage()
    return Usage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cached_tokens=getattr(usage.input_tokens_details, "cached_tokens", 0) or 0,
        reasoning_tokens=getattr(usage.output_tokens_details, "reasoning_tokens", 0) or 0,
    )


def _arguments(text: Any) -> dict[str, Any]:
    import json

    try:
        found = json.loads(text or "{}")
    except (TypeError, ValueError):  # a model may write broken JSON
        return {"raw": text}
    return found if isinstance(found, dict) else {"raw": found}
