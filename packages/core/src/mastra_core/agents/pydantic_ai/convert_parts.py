"""Single parts of pydantic-ai's messages told as our events."""

from __future__ import annotations

from typing import Any

from pydantic_ai import messages as native

from mastra_core.agents.events import AgentEvent, File, ReasoningDelta, TextDelta, ToolCall, Usage

__all__ = ("get_finish_reason", "parse_arguments", "to_events", "to_tool_call", "to_usage")

_REASONS = {"length": "length", "content_filter": "content-filter"}


def to_events(part: Any) -> list[AgentEvent]:
    """The event of a part, or of a piece of one; none where it says nothing."""
    match part:
        case native.TextPart(content=text) | native.TextPartDelta(content_delta=text) if text:
            return [TextDelta(text=text)]
        case native.ThinkingPart(content=text) | native.ThinkingPartDelta(content_delta=text) if (
            text
        ):
            return [ReasoningDelta(text=text)]
        case native.FilePart(content=content):
            return [File(media_type=content.media_type, data=content.data)]
        case _:
            return []


def to_tool_call(part: native.ToolCallPart) -> ToolCall:
    """A call that the model made."""
    return ToolCall(id=part.tool_call_id, name=part.tool_name, arguments=parse_arguments(part))


def parse_arguments(part: native.ToolCallPart) -> dict[str, Any]:
    """The arguments of a call, as far as the model wrote JSON."""
    try:
        return part.args_as_dict()
    except ValueError:  # a model may write broken JSON; pydantic-ai then asks it to try again
        return {"raw": part.args}


def to_usage(usage: Any) -> Usage:
    """The tokens of a turn, or of a run."""
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cache_read_tokens,
        reasoning_tokens=usage.details.get("reasoning_tokens", 0),
    )


def get_finish_reason(message: native.ModelResponse | None) -> str:
    """Why the model ended its last turn."""
    reason = message.finish_reason if message is not None else None
    return _REASONS.get(reason or "", "stop")
