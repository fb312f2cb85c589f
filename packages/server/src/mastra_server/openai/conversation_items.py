"""Convert stored messages to the items of a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mastra_core.agents import TextPart, ToolCallPart, ToolResultPart
from mastra_core.schema import encode_json
from mastra_core.storage import StoredMessage

__all__ = ("build_items", "format_output")


def build_items(messages: Iterable[StoredMessage]) -> Iterator[dict[str, Any]]:
    """Yield the items of messages: tool calls, their outputs, and texts.

    As in Mastra for TypeScript, the tool calls of a message precede its text. The files of a
    message are left out.

    :param messages: the messages of one thread.
    """
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                yield _build_call(part)
            elif isinstance(part, ToolResultPart):
                yield _build_output(part)
        text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
        if text and message.role != "tool":
            yield _build_message(message, text)


def format_output(result: Any) -> str:
    """Format the result of a tool as the text that an item holds.

    :param result: the result, as a value of JSON.
    """
    return result if isinstance(result, str) else encode_json(result).decode()


def _build_call(call: ToolCallPart) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": encode_json(call.arguments).decode(),
        "status": "completed",
    }


def _build_output(result: ToolResultPart) -> dict[str, Any]:
    return {
        "id": f"{result.id}:output",
        "type": "function_call_output",
        "call_id": result.id,
        "output": format_output(result.result),
    }


def _build_message(message: StoredMessage, text: str) -> dict[str, Any]:
    if message.role == "assistant":
        content: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
    else:
        content = {"type": "input_text", "text": text}
    return {
        "id": message.id,
        "type": "message",
        "role": message.role,
        "status": "completed",
        "content": [content],
    }
