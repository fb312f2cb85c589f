"""Convert messages to the messages of pydantic-ai."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydantic
from pydantic_ai import messages as native

from mastra_core.agents.messages import (
    AgentInput,
    FilePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from mastra_core.agents.pydantic_ai.file_downloads import build_file_identifier
from mastra_core.database.unreadable_data import build_unreadable_error
from mastra_core.errors import InvalidInput
from mastra_core.schema import describe_validation_error

__all__ = ("split_history",)

_URLS: dict[str, Any] = {
    "audio": native.AudioUrl,
    "image": native.ImageUrl,
    "video": native.VideoUrl,
}


def split_history(run_input: AgentInput) -> tuple[Any, list[native.ModelMessage]]:
    """Return the prompt of a run and the messages before it.

    If the last message is not the user's, the prompt is ``None``, and the model continues from the
    history, for example after the results of client tools.

    :param run_input: the input of the run.
    :raises InvalidInput: when the input contains results of tools, but not the calls.
    """
    messages = run_input.messages
    if messages and not run_input.history and all(each.role == "tool" for each in messages):
        raise InvalidInput(
            "The messages contain tool results without their tool calls.",
            "Also send the assistant's message that contains the calls.",
        )
    prompt: Any = None
    if messages and messages[-1].role == "user":
        prompt = _convert_content(messages[-1])
        messages = messages[:-1]
    if not run_input.history:
        return prompt, _to_native_messages(messages)
    # Results of client tools are passed with the deferred results instead.
    new = run_input.new_messages[: None if prompt is None else -1]
    converted = _to_native_messages([message for message in new if message.role != "tool"])
    return prompt, [*_load_history(run_input.history), *converted]


def _load_history(history: bytes) -> list[native.ModelMessage]:
    try:
        return native.ModelMessagesTypeAdapter.validate_json(history)
    except pydantic.ValidationError as error:
        reason = describe_validation_error(error)
        raise build_unreadable_error("The history of the run", reason) from None


def _to_native_messages(messages: Sequence[Message]) -> list[native.ModelMessage]:
    """Convert messages; join consecutive requests, because pydantic-ai is slow with many."""
    joined: list[native.ModelMessage] = []
    for message in map(_to_native, messages):
        last = joined[-1] if joined else None
        if isinstance(message, native.ModelRequest) and isinstance(last, native.ModelRequest):
            last.parts = [*last.parts, *message.parts]
        else:
            joined.append(message)
    return joined


def _to_native(message: Message) -> native.ModelMessage:
    match message.role:
        case "assistant":
            return native.ModelResponse(parts=_convert_response_parts(message))
        case "tool":
            return native.ModelRequest(parts=_convert_tool_returns(message))
        case "system":
            return native.ModelRequest(parts=[native.SystemPromptPart(message.text)])
        case _:
            return native.ModelRequest(parts=[native.UserPromptPart(_convert_content(message))])


def _convert_content(message: Message) -> str | Sequence[native.UserContent]:
    if all(isinstance(part, TextPart) for part in message.parts):
        return message.text
    return [
        _convert_user_part(part) for part in message.parts if isinstance(part, TextPart | FilePart)
    ]


def _convert_user_part(part: TextPart | FilePart) -> native.UserContent:
    if isinstance(part, TextPart):
        return part.text
    if part.data:
        return native.BinaryContent(part.data, media_type=part.media_type)
    url_class = _URLS.get(part.media_type.partition("/")[0], native.DocumentUrl)
    identifier = build_file_identifier(part.url)
    url: native.UserContent = url_class(part.url, media_type=part.media_type, identifier=identifier)
    return url


def _convert_response_parts(message: Message) -> list[native.ModelResponsePart]:
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


def _convert_tool_returns(message: Message) -> list[native.ModelRequestPart]:
    return [
        native.ToolReturnPart(
            part.name, part.result, part.id, outcome="failed" if part.failed else "success"
        )
        for part in message.parts
        if isinstance(part, ToolResultPart)
    ]
