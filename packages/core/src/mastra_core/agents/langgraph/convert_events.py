"""Convert a graph's stream to events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core import messages as native

from mastra_core.agents.events import (
    AgentEvent,
    ReasoningDelta,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
    ToolSuspended,
    Usage,
)
from mastra_core.schema import dump

__all__ = ("EventConverter",)


class EventConverter:
    """Converts the stream of a graph to events, and finds the end of each model turn.

    :ivar state: the last state of the graph.
    :ivar is_interrupted: whether an interrupt waits for a person.
    :ivar total_usage: the tokens of all turns.
    """

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.is_interrupted = False
        self.total_usage = Usage()
        self._usage = Usage()
        self._seen_ids: set[str] = set()
        self._calls: dict[str, ToolCall] = {}
        self._has_results = False
        self._streamed: list[str] = []  # pieces of text that no message contains yet

    def convert(self, mode: str, value: Any) -> list[AgentEvent]:
        """Convert one item of the stream.

        :param mode: the stream mode of the item: ``messages``, ``updates`` or ``values``.
        :param value: the item.
        :returns: the events; empty if the item has no counterpart.
        """
        if mode == "messages":
            return self._convert_chunk(value[0])
        if mode == "updates":
            return self._convert_interrupts(value.get("__interrupt__", ()))
        is_first, self.state = not self.state, value
        new_messages = [each for each in value.get("messages", ()) if each.id not in self._seen_ids]
        self._seen_ids |= {message.id for message in new_messages}
        if is_first:  # the first state holds only the input of the run
            return []
        return [event for message in new_messages for event in self._convert_message(message)]

    def finish_turn(self, reason: str) -> StepFinish:
        """Return the event that ends the last turn.

        :param reason: why the turn ended.
        """
        return StepFinish(reason=reason, usage=self._usage)

    def _convert_chunk(self, message: Any) -> list[AgentEvent]:
        if not isinstance(message, native.AIMessage | native.AIMessageChunk):
            return []
        deltas = list(_iter_deltas(message))
        self._streamed += [each.text for each in deltas if isinstance(each, TextDelta)]
        return [*self._close_turn(), *deltas] if deltas else []

    def _convert_interrupts(self, interrupts: Any) -> list[AgentEvent]:
        self.is_interrupted = self.is_interrupted or bool(interrupts)
        return [
            ToolSuspended(id=each.id, name="interrupt", arguments={}, payload=dump(each.value))
            for each in interrupts
        ]

    def _convert_message(self, message: Any) -> list[AgentEvent]:
        if isinstance(message, native.ToolMessage):
            return [self._convert_result(message)]
        if not isinstance(message, native.AIMessage):
            return []
        events = [*self._close_turn(), *self._convert_unstreamed_text(message)]
        usage = _convert_usage(message.usage_metadata)
        self._usage, self.total_usage = self._usage + usage, self.total_usage + usage
        calls = [
            ToolCall(id=call["id"] or "", name=call["name"], arguments=call["args"])
            for call in message.tool_calls
        ]
        self._calls |= {call.id: call for call in calls}
        return [*events, *calls]

    def _convert_unstreamed_text(self, message: native.AIMessage) -> list[AgentEvent]:
        """Return the text of a message that a node wrote without a streaming model."""
        text, streamed = message.text, "".join(self._streamed)
        self._streamed = [streamed.replace(text, "", 1)]
        return [TextDelta(text=text)] if text and text not in streamed else []

    def _close_turn(self) -> list[AgentEvent]:
        """End the turn if its tool calls have results and the model now writes again."""
        if not self._has_results:
            return []
        self._has_results, usage, self._usage = False, self._usage, Usage()
        return [StepFinish(reason="tool-calls", continued=True, usage=usage)]

    def _convert_result(self, message: native.ToolMessage) -> ToolResult:
        self._has_results = True
        call = self._calls.get(message.tool_call_id)
        return ToolResult(
            id=message.tool_call_id,
            name=message.name or (call.name if call else ""),
            arguments=call.arguments if call else {},
            result=dump(message.content),
            failed=message.status == "error",
        )


def _iter_deltas(message: native.AIMessage) -> Iterator[AgentEvent]:
    if isinstance(message.content, str):
        if message.content:
            yield TextDelta(text=message.content)
        return
    for block in message.content_blocks:
        if block["type"] == "text" and block["text"]:
            yield TextDelta(text=block["text"])
        elif block["type"] == "reasoning" and block.get("reasoning"):
            yield ReasoningDelta(text=block["reasoning"])


def _convert_usage(usage: Any) -> Usage:
    if not usage:
        return Usage()
    return Usage(
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        cached_tokens=usage.get("input_token_details", {}).get("cache_read", 0) or 0,
        reasoning_tokens=usage.get("output_token_details", {}).get("reasoning", 0) or 0,
    )
