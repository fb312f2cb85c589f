"""What a graph streams, told as our events."""

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
    """Tells what a graph streams, and where one model turn ends and the next begins.

    :ivar state: the last state of the graph.
    :ivar waits: somebody must answer an interrupt.
    :ivar total: the tokens of all turns.
    """

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.is_interrupted = False
        self.total_usage = Usage()
        self._usage = Usage()
        self._seen: set[str] = set()
        self._calls: dict[str, ToolCall] = {}
        self._answered = False
        self._text = ""

    def convert(self, mode: str, value: Any) -> list[AgentEvent]:
        """What one piece of the stream means here; nothing, where it means nothing."""
        if mode == "messages":
            return self._piece(value[0])
        if mode == "updates":
            return self._interrupts(value.get("__interrupt__", ()))
        begins, self.state = not self.state, value
        new = [each for each in value.get("messages", ()) if each.id not in self._seen]
        self._seen |= {message.id for message in new}
        if begins:  # what the run began with is not told
            return []
        return [event for message in new for event in self._whole(message)]

    def finish_turn(self, reason: str) -> StepFinish:
        """The end of the turn that was the last."""
        return StepFinish(reason=reason, usage=self._usage)

    def _piece(self, message: Any) -> list[AgentEvent]:
        if not isinstance(message, native.AIMessage | native.AIMessageChunk):
            return []
        deltas = list(_deltas(message))
        self._text += "".join(each.text for each in deltas if isinstance(each, TextDelta))
        return [*self._turn(), *deltas] if deltas else []

    def _interrupts(self, interrupts: Any) -> list[AgentEvent]:
        self.is_interrupted = self.is_interrupted or bool(interrupts)
        return [
            ToolSuspended(id=each.id, name="interrupt", arguments={}, payload=dump(each.value))
            for each in interrupts
        ]

    def _whole(self, message: Any) -> list[AgentEvent]:
        if isinstance(message, native.ToolMessage):
            return [self._result(message)]
        if not isinstance(message, native.AIMessage):
            return []
        told = [*self._turn(), *self._unsaid(message)]
        usage = _usage(message.usage_metadata)
        self._usage, self.total_usage = self._usage + usage, self.total_usage + usage
        calls = [
            ToolCall(id=call["id"] or "", name=call["name"], arguments=call["args"])
            for call in message.tool_calls
        ]
        self._calls |= {call.id: call for call in calls}
        return [*told, *calls]

    def _unsaid(self, message: native.AIMessage) -> list[AgentEvent]:
        """The text of a message that no model streamed: a node wrote it itself."""
        text, said = message.text, self._text
        self._text = said.replace(text, "", 1)
        return [TextDelta(text=text)] if text and text not in said else []

    def _turn(self) -> list[AgentEvent]:
        """The model speaks after tools have answered: the turn that asked for them is over."""
        if not self._answered:
            return []
        self._answered, usage, self._usage = False, self._usage, Usage()
        return [StepFinish(reason="tool-calls", continued=True, usage=usage)]

    def _result(self, message: native.ToolMessage) -> ToolResult:
        self._answered = True
        call = self._calls.get(message.tool_call_id)
        return ToolResult(
            id=message.tool_call_id,
            name=message.name or (call.name if call else ""),
            arguments=call.arguments if call else {},
            result=dump(message.content),
            failed=message.status == "error",
        )


def _deltas(message: native.AIMessage) -> Iterator[AgentEvent]:
    if isinstance(message.content, str):
        if message.content:
            yield TextDelta(text=message.content)
        return
    for block in message.content_blocks:
        if block["type"] == "text" and block["text"]:
            yield TextDelta(text=block["text"])
        elif block["type"] == "reasoning" and block.get("reasoning"):
            yield ReasoningDelta(text=block["reasoning"])


def _usage(usage: Any) -> Usage:
    if not usage:
        return Usage()
    return Usage(
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        cached_tokens=usage.get("input_token_details", {}).get("cache_read", 0) or 0,
        reasoning_tokens=usage.get("output_token_details", {}).get("reasoning", 0) or 0,
    )
