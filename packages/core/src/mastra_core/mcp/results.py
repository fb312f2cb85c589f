"""What a tool answered, between the protocol's form and ours."""

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.mcp.sdk import import_sdk_module

__all__ = ("parse_result", "to_error_result", "to_result")


def parse_result(result: Any) -> Any:
    """The data of an answer, or its text.

    An error is the tool's own word to the model, so it is an answer like others.
    """
    parts = [_part(block) for block in result.content]
    text = all(isinstance(part, str) for part in parts)
    said: Any = "\n".join(parts) if text else parts
    if result.is_error:
        return {"error": said}
    data = result.structured_content
    # Servers wrap what is no object, and say it as it is in the text.
    wrapped = isinstance(data, dict) and data.keys() == {"result"} and str(data["result"]) == said
    return said if data is None or wrapped else data


def to_result(value: Any) -> Any:
    """``value`` as the protocol's answer: text, and data beside it where it is an object."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    data = value if isinstance(value, dict) else None
    return import_sdk_module("mcp_types").CallToolResult(
        content=[_text(text)], structured_content=data
    )


def to_error_result(message: str) -> Any:
    """An answer that says what went wrong, which a model may read and try again."""
    return import_sdk_module("mcp_types").CallToolResult(content=[_text(message)], is_error=True)


def _text(text: str) -> Any:
    return import_sdk_module("mcp_types").TextContent(type="text", text=text)


def _part(block: Any) -> Any:
    if block.type == "text":
        return block.text
    return block.model_dump(mode="json", by_alias=True, exclude_none=True)
