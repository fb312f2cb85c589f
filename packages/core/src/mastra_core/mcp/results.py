"""Convert tool results to and from the form of the MCP protocol."""

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.mcp.sdk import import_sdk_module

__all__ = ("parse_result", "to_error_result", "to_result")


def parse_result(result: Any) -> Any:
    """Return the data of an MCP result, or its text if it has no data.

    A tool's error is for the model, so this function returns the error.

    :param result: the SDK's result.
    """
    parts = [_convert_block(block) for block in result.content]
    text = all(isinstance(part, str) for part in parts)
    content: Any = "\n".join(parts) if text else parts
    if result.is_error:
        return {"error": content}
    data = result.structured_content
    # Servers wrap a value that is no object as `result`, and repeat it in the text.
    wrapped = (
        isinstance(data, dict) and data.keys() == {"result"} and str(data["result"]) == content
    )
    return content if data is None or wrapped else data


def to_result(value: Any) -> Any:
    """Convert a value to an MCP result: text, and structured content for an object.

    :param value: JSON builtins.
    """
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    data = value if isinstance(value, dict) else None
    return import_sdk_module("mcp_types").CallToolResult(
        content=[_to_text_block(text)], structured_content=data
    )


def to_error_result(message: str) -> Any:
    """Build a result that reports an error to the model.

    :param message: the error message.
    """
    return import_sdk_module("mcp_types").CallToolResult(
        content=[_to_text_block(message)], is_error=True
    )


def _to_text_block(text: str) -> Any:
    return import_sdk_module("mcp_types").TextContent(type="text", text=text)


def _convert_block(block: Any) -> Any:
    if block.type == "text":
        return block.text
    return block.model_dump(mode="json", by_alias=True, exclude_none=True)
