"""Convert messages to input items of the OpenAI Agents SDK."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from mastra_core.agents.messages import (
    FilePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

__all__ = ("to_input_items",)


def to_input_items(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Convert messages to the SDK's input items.

    :param messages: the messages.
    """
    return [item for message in messages for item in _iter_items(message)]


def _iter_items(message: Message) -> Iterator[dict[str, Any]]:
    if any(isinstance(part, FilePart) for part in message.parts):
        content = [
            _convert_part(part) for part in message.parts if isinstance(part, TextPart | FilePart)
        ]
        yield {"role": message.role, "content": content}
    elif message.text:
        yield {"role": message.role, "content": message.text}
    for part in message.parts:
        if isinstance(part, ToolCallPart):
            yield {
                "type": "function_call",
                "call_id": part.id,
                "name": part.name,
                "arguments": json.dumps(part.arguments),
            }
        elif isinstance(part, ToolResultPart):
            yield {
                "type": "function_call_output",
                "call_id": part.id,
                "output": _to_text(part.result),
            }


def _convert_part(part: TextPart | FilePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    url = part.url
    if part.data:
        url = f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"
    if part.media_type.startswith("image/"):
        return {"type": "input_image", "image_url": url, "detail": "auto"}
    if part.data:
        return {"type": "input_file", "file_data": url, "filename": "file"}
    return {"type": "input_file", "file_url": url}


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
