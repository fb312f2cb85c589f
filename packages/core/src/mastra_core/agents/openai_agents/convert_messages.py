"""Neutral messages as the input items of the SDK."""

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
    """``messages`` as input items."""
    return [item for message in messages for item in _items(message)]


def _items(message: Message) -> Iterator[dict[str, Any]]:
    if any(isinstance(part, FilePart) for part in message.parts):
        said = [_content(part) for part in message.parts if isinstance(part, TextPart | FilePart)]
        yield {"role": message.role, "content": said}
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
            yield {"type": "function_call_output", "call_id": part.id, "output": _text(part.result)}


def _content(part: TextPart | FilePart) -> dict[str, Any]:
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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
