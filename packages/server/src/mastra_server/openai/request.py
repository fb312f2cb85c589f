"""Read a request of OpenAI's Responses API."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mastra_core.agents import ClientTool, Message, ToolCallPart, ToolResultPart
from mastra_server.agents.input_messages import parse_messages, require_string
from mastra_server.agents.model_settings import Temperature, TokenCount, TopP
from mastra_server.agents.request import MAX_CLIENT_TOOLS
from mastra_server.http.json_schemas import check_schema
from mastra_server.http.request_body import MAX_ITEMS, Id, InvalidBody, MaybeId, decode_json

__all__ = ("ResponseBody", "build_client_tools", "get_output_schema", "parse_input")


class _Format(msgspec.Struct):
    type: str = "text"
    schema: dict[str, Any] | None = None


class _Text(msgspec.Struct):
    format: _Format | None = None


class _Named(msgspec.Struct):
    id: Id


class ResponseBody(msgspec.Struct):
    """The body of a request that creates a response.

    :param model: the id of the agent, if ``agent_id`` is empty.
    :param conversation: the same as ``conversation_id``, as OpenAI's clients send it: an id, or an
        object with an id.
    """

    input: str | Annotated[list[Any], msgspec.Meta(max_length=MAX_ITEMS)]
    model: str = ""
    agent_id: str = ""
    instructions: str | None = None
    text: _Text | None = None
    tools: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=MAX_CLIENT_TOOLS)] = []
    conversation_id: MaybeId = None
    conversation: MaybeId | _Named = None
    previous_response_id: MaybeId = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_output_tokens: TokenCount | None = None
    store: bool | None = None
    stream: bool | None = None

    @property
    def conversation_name(self) -> str:
        """The id of the conversation, from either of two fields; empty without a conversation."""
        named = self.conversation
        return self.conversation_id or (named.id if isinstance(named, _Named) else named) or ""


def get_output_schema(body: ResponseBody) -> dict[str, Any] | None:
    """Return the schema of the structured output in ``text.format``.

    :param body: the request.
    """
    format_ = body.text.format if body.text else None
    if format_ is None or format_.type != "json_schema":
        return None
    check_schema(format_.schema, "text.format.schema")
    return format_.schema


def build_client_tools(body: ResponseBody) -> tuple[ClientTool, ...]:
    """Build the function tools of the caller.

    :param body: the request.
    :raises InvalidBody: when a tool is not a function. Only OpenAI itself offers other tools.
    """
    for index, tool in enumerate(body.tools):
        if tool.get("type") != "function" or not isinstance(tool.get("name"), str):
            raise InvalidBody(f"tools.{index}", "Expected a function with a name")
        check_schema(tool.get("parameters"), f"tools.{index}.parameters")
    return tuple(
        ClientTool(
            name=tool["name"],
            description=str(tool.get("description") or ""),
            input_schema=tool.get("parameters") or {},
        )
        for tool in body.tools
    )


def parse_input(value: str | list[Any]) -> tuple[Message, ...]:
    """Parse the input to messages.

    :param value: a text, or a list of items.
    :raises InvalidBody: for an item that is not a message, a call or the output of a call.
    """
    if isinstance(value, str):
        return (Message.user(value),)
    messages = tuple(
        message for index, item in enumerate(value) for message in _parse_item(item, index)
    )
    if not messages:
        raise InvalidBody("input", "Expected at least one item")
    return messages


def _parse_item(item: Any, index: int) -> tuple[Message, ...]:
    if not isinstance(item, dict):
        raise InvalidBody(f"input.{index}", "Expected an object")
    try:
        match item.get("type", "message"):
            case "function_call":
                return (Message(role="assistant", parts=(_parse_call(item),)),)
            case "function_call_output":
                part = ToolResultPart(
                    id=require_string(item["call_id"]),
                    name=require_string(item.get("name", "")),
                    result=item["output"],
                )
                return (Message(role="tool", parts=(part,)),)
            case "message":
                role = "system" if item.get("role") == "developer" else item.get("role")
                message = {"role": role, "content": _convert_content(item.get("content"))}
                return parse_messages(message, f"input.{index}")
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidBody(f"input.{index}", f"Invalid {item.get('type')}: {error}") from None
    raise InvalidBody(f"input.{index}.type", "Expected message or function_call_output")


def _parse_call(item: dict[str, Any]) -> ToolCallPart:
    arguments = decode_json(str(item["arguments"] or "{}").encode(), dict[str, Any])
    return ToolCallPart(
        id=require_string(item["call_id"]), name=require_string(item["name"]), arguments=arguments
    )


def _convert_content(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    return [_convert_part(part) if isinstance(part, dict) else part for part in content]


def _convert_part(part: dict[str, Any]) -> dict[str, Any]:
    match part.get("type"):
        case "input_text" | "output_text":
            return {**part, "type": "text"}
        case "input_image":
            return {"type": "image", "image": part.get("image_url")}
        case "input_file":
            data = part.get("file_data") or part.get("file_url")
            return {"type": "file", "data": data, "filename": part.get("filename")}
        case _:
            return part
