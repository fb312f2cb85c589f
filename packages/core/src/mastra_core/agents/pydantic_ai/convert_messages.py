"""Neutral messages in pydantic-ai's own form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_ai import messages as native

from mastra_core.agents.messages import (
    AgentInput,
    FilePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

__all__ = ("split_history",)

_URLS: dict[str, Any] = {
    "audio": native.AudioUrl,
    "image": native.ImageUrl,
    "video": native.VideoUrl,
}


def split_history(run_input: AgentInput) -> tuple[Any, list[native.ModelMessage]]:
    """The prompt of this run and what went before it.

    The prompt is ``None`` where the last message is not the user's: the model then goes on
    from the history (after the results of client-side tools, for one).
    """
    messages = run_input.messages
    prompt: Any = None
    if messages and messages[-1].role == "user":
        prompt = _content(messages[-1])
        messages = messages[:-1]
    if not run_input.history:
        return prompt, [_native(message) for message in messages]
    # What tools of the caller gave is brought to their calls elsewhere.
    new = run_input.new_messages[: None if prompt is None else -1]
    said = [_native(message) for message in new if message.role != "tool"]
    return prompt, [*native.ModelMessagesTypeAdapter.validate_json(run_input.history), *said]


def _native(message: Message) -> native.ModelMessage:
    match message.role:
        case "assistant":
            return native.ModelResponse(parts=_response_parts(message))
        case "tool":
            return native.ModelRequest(parts=_tool_returns(message))
        case "system":
            return native.ModelRequest(parts=[native.SystemPromptPart(message.text)])
        case _:
            return native.ModelRequest(parts=[native.UserPromptPart(_content(message))])


def _content(message: Message) -> str | Sequence[native.UserContent]:
    if all(isinstance(part, TextPart) for part in message.parts):
        return message.text
    return [_user_part(part) for part in message.parts if isinstance(part, TextPart | FilePart)]


def _user_part(part: TextPart | FilePart) -> native.UserContent:
    if isinstance(part, TextPart):
        return part.text
    if part.data:
        return native.BinaryContent(part.data, media_type=part.media_type)
    kind = _URLS.get(part.media_type.partition("/")[0], native.DocumentUrl)
    made: native.UserContent = kind(part.url, media_type=part.media_type)
    return made


def _response_parts(message: Message) -> list[native.ModelResponsePart]:
    parts: list[native.ModelResponsePart] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            parts.append(native.TextPart(part.text))
        elif isinstance(part, ToolCallPart):
            parts.append(native.ToolCallPart(part.name, part.arguments, part.id))
        elif isinstance(part, FilePart) and part.data:
            content = native.BinaryContent(part.data, media_type=part.media_type)
            parts.append(native.FilePart(content))
    return parts


def _tool_returns(message: Message) -> list[native.ModelRequestPart]:
    return [
        native.ToolReturnPart(part.name, part.result, part.id)
        for part in message.parts
        if isinstance(part, ToolResultPart)
    ]
