"""Convert messages to LangChain's messages, and serialise LangChain's messages."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import msgspec
from langchain_core import messages as native

from mastra_core.agents.messages import (
    FilePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

__all__ = ("decode_history", "encode_history", "to_native_messages")


def to_native_messages(messages: Iterable[Message]) -> list[native.BaseMessage]:
    """Convert messages to LangChain's messages.

    :param messages: the messages.
    """
    return [converted for message in messages for converted in _to_native(message)]


def encode_history(messages: Iterable[native.BaseMessage]) -> bytes:
    """Serialise LangChain's messages.

    :param messages: the messages.
    """
    return json.dumps(native.messages_to_dict(list(messages))).encode()


def decode_history(history: bytes) -> list[native.BaseMessage]:
    """Read messages that ``encode_history`` serialised.

    :param history: the serialised messages.
    """
    return native.messages_from_dict(json.loads(history))


def _to_native(message: Message) -> list[native.BaseMessage]:
    match message.role:
        case "system":
            return [native.SystemMessage(message.text)]
        case "assistant":
            return [native.AIMessage(message.text, tool_calls=_convert_calls(message))]
        case "tool":
            return [
                _convert_result(part) for part in message.parts if isinstance(part, ToolResultPart)
            ]
        case _:
            return [native.HumanMessage(_convert_content(message))]


def _convert_calls(message: Message) -> list[Any]:
    return [
        {"type": "tool_call", "id": part.id, "name": part.name, "args": part.arguments}
        for part in message.parts
        if isinstance(part, ToolCallPart)
    ]


def _convert_result(part: ToolResultPart) -> native.ToolMessage:
    result = part.result
    text = result if isinstance(result, str) else msgspec.json.encode(result).decode()
    return native.ToolMessage(text, tool_call_id=part.id, name=part.name)


def _convert_content(message: Message) -> Any:
    if all(isinstance(part, TextPart) for part in message.parts):
        return message.text
    return [_convert_part(part) for part in message.parts if isinstance(part, TextPart | FilePart)]


def _convert_part(part: TextPart | FilePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    kind = "image" if part.media_type.startswith("image/") else "file"
    if part.data:
        data = base64.b64encode(part.data).decode()
        return {"type": kind, "base64": data, "mime_type": part.media_type}
    return {"type": kind, "url": part.url, "mime_type": part.media_type}
