"""Convert the events of the OpenAI Agents SDK."""

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

__all__ = ("ErrorText", "EventConverter", "to_tool_call", "to_usage")

_REASONING = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")


class ErrorText(str):
    """The result of a call that failed; to the SDK, it is a text like any other."""

    __slots__ = ()


class EventConverter:
    """Converts the events of the OpenAI Agents SDK, and finds the end of each model turn.

    :param decisions: decisions about the calls of the suspended run, by call id.
    :param pending_calls: the calls that waited for a decision.
    """

    def __init__(self, decisions: Mapping[str, Decision], pending_calls: list[ToolCall]) -> None:
        self._decisions = decisions
        self._calls = {call.id: call for call in pending_calls}
        self._announced_ids = set(self._calls)
        self._has_results = False
        self._usage = Usage()

    def convert(self, event: Any) -> list[AgentEvent]:
        """Convert one event of the SDK.

        :param event: the SDK's event.
        :returns: the events; empty if the SDK's event has no counterpart.
        """
        if event.type == "raw_response_event":
            return self._convert_raw(event.data)
        if event.type != "run_item_stream_event":
            return []
        if event.name in ("tool_called", "handoff_requested"):
            return self._convert_call(event.item.raw_item)
        if event.name == "tool_output":
            return self._convert_result(event.item.raw_item, event.item.output)
        if event.name == "handoff_occured":
            return self._convert_result(event.item.raw_item, event.item.target_agent.name)
        return []

    def finish_turn(self, reason: str) -> StepFinish:
        """Return the event that ends the last turn.

        :param reason: why the turn ended.
        """
        return StepFinish(reason=reason, usage=self._usage)

    def _convert_raw(self, data: Any) -> list[AgentEvent]:
        if data.type == "response.output_text.delta" and data.delta:
            return [*self._close_turn(), TextDelta(text=data.delta)]
        if data.type in _REASONING and data.delta:
            return [*self._close_turn(), ReasoningDelta(text=data.delta)]
        if data.type == "response.created":
            return self._close_turn()
        if data.type == "response.completed":
            self._usage += to_usage(data.response.usage)
        return []

    def _close_turn(self) -> list[AgentEvent]:
        """End the turn if its tool calls have results and the model now writes again."""
        if not self._has_results:
            return []
        self._has_results, usage, self._usage = False, self._usage, Usage()
        return [StepFinish(reason="tool-calls", continued=True, usage=usage)]

    def _convert_call(self, raw: Any) -> list[AgentEvent]:
        call = to_tool_call(raw)
        if call.id in self._announced_ids:  # announced before the run was suspended
            return []
        self._calls[call.id] = call
        return [*self._close_turn(), call]

    def _convert_result(self, raw: Any, output: Any) -> list[AgentEvent]:
        self._has_results = True
        id_ = raw["call_id"] if isinstance(raw, dict) else raw.call_id
        call = self._calls.get(id_) or ToolCall(id=id_, name="", arguments={})
        declined = not self._decisions.get(id_, Decision()).approved
        return [
            ToolResult(
                id=id_,
                name=call.name,
                arguments=call.arguments,
                result=dump(output),
                failed=declined or isinstance(output, ErrorText),
                declined=declined,
            )
        ]


def to_tool_call(raw: Any) -> ToolCall:
    """Convert a function call, or a call of a hosted tool, to an event.

    :param raw: the SDK's item, as an object or a mapping.
    """
    data = raw if isinstance(raw, dict) else raw.model_dump(exclude_unset=True)
    id_ = data.get("call_id") or data.get("id") or ""
    name = data.get("name") or str(data.get("type", "")).removesuffix("_call")
    return ToolCall(id=id_, name=name, arguments=_parse_arguments(data.get("arguments")))


def to_usage(usage: Any) -> Usage:
    """Convert the SDK's token counts; counts that a provider omits are zero.

    :param usage: the SDK's token counts, or ``None``.
    """
    if usage is None:
        return Usage()
    return Usage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cached_tokens=getattr(usage.input_tokens_details, "cached_tokens", 0) or 0,
        reasoning_tokens=getattr(usage.output_tokens_details, "reasoning_tokens", 0) or 0,
    )


def _parse_arguments(text: Any) -> dict[str, Any]:
    import json

    try:
        found = json.loads(text or "{}")
    except (TypeError, ValueError):  # a model may write broken JSON
        return {"raw": text}
    return found if isinstance(found, dict) else {"raw": found}
