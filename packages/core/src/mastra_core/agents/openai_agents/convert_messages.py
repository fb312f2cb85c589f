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

__all__ = ("restore_input", "to_input_items")


def to_input_items(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Convert messages to the SDK's input items.

    :param messages: the messages.
    """
    return [item for message in messages for item in _iter_items(message)]


def restore_input(items: Any) -> Any:
    """Return the input of a stored run in the form in which the run got it.

    The SDK stores the text of an assistant's message as output of a response, but without the id of
    the output. The SDK's client for chat completions refuses such an item.

    :param items: the stored input: a text, or input items.
    """
    return [_restore_item(item) for item in items] if isinstance(items, list) else items


def _restore_item(item: Any) -> Any:
    if not isinstance(item, dict) or item.get("role") != "assistant" or "id" in item:
        return item
    content = item.get("content")
    if not isinstance(content, list) or any(each.get("type") != "output_text" for each in content):
        return item
    return {"role": "assistant", "content": "".join(each["text"] for each in content)}


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
