"""Convert single parts of pydantic-ai's messages."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic_ai import messages as native

from mastra_core.agents.events import AgentEvent, File, ReasoningDelta, TextDelta, ToolCall, Usage

__all__ = (
    "get_finish_reason",
    "load_arguments",
    "parse_arguments",
    "to_events",
    "to_tool_call",
    "to_usage",
)

_REASONS = {"length": "length", "content_filter": "content-filter"}


def to_events(part: Any) -> list[AgentEvent]:
    """Convert a part, or a delta of a part.

    :param part: pydantic-ai's part or delta.
    :returns: at most one event.
    """
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
    """Convert a tool call of the model.

    :param part: pydantic-ai's part.
    """
    return ToolCall(id=part.tool_call_id, name=part.tool_name, arguments=parse_arguments(part))


def parse_arguments(part: native.ToolCallPart) -> dict[str, Any]:
    """Return the arguments of a tool call.

    :param part: pydantic-ai's part.
    :returns: the arguments; ``{"raw": text}`` if the model wrote no JSON object.
    """
    try:
        return load_arguments(part)
    except ValueError:
        return {"raw": part.args}


def load_arguments(part: native.ToolCallPart) -> dict[str, Any]:
    """Return the arguments of a tool call.

    :param part: pydantic-ai's part.
    :raises ValueError: when the model wrote no JSON object.
    """
    if not part.args or isinstance(part.args, dict):
        return part.args or {}
    return msgspec.json.decode(part.args, type=dict[str, Any])


def to_usage(usage: Any) -> Usage:
    """Convert the token counts of a turn or a run.

    :param usage: pydantic-ai's counts.
    """
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cache_read_tokens,
        reasoning_tokens=usage.details.get("reasoning_tokens", 0),
    )


def get_finish_reason(message: native.ModelResponse | None) -> str:
    """Return the reason why the model ended its last turn.

    :param message: the model's last response.
    """
    reason = message.finish_reason if message is not None else None
    return _REASONS.get(reason or "", "stop")
