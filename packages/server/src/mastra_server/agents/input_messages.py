"""Parse messages in all forms that Mastra's clients send."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from mastra_core.agents import (
    FilePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from mastra_core.agents.messages import Part
from mastra_server.http.request_body import MAX_ID_LENGTH, InvalidBody

__all__ = ("parse_messages", "parse_parts", "require_string")

MAX_PARTS = 4000  # of all messages of one body
_ROLES = ("system", "user", "assistant", "tool")
_WEB_URL = re.compile("https?://", re.IGNORECASE)
_FAILED_OUTPUTS = ("error-text", "error-json", "execution-denied")


def parse_messages(value: Any, where: str = "messages") -> tuple[Message, ...]:
    """Parse a text, a message, or a list of texts and messages.

    Content may be text, parts, or the form in which Mastra stores messages (``{"format": 2,
    "parts": [...]}``). Reasoning, sources and step marks are left out, because no model receives
    them.

    :param value: the decoded JSON.
    :param where: the path of the value in the body, for error messages.
    :returns: at least one message.
    :raises InvalidBody: if the value is not a text, a message, or a list of them.
    """
    if isinstance(value, list):
        items = {f"{where}.{index}": item for index, item in enumerate(value)}
    else:
        items = {where: value}
    number = sum(_count_parts(item) for item in items.values() if isinstance(item, dict))
    if number > MAX_PARTS:  # more parts would block the event loop
        raise InvalidBody(where, f"Expected at most {MAX_PARTS} parts in all messages")
    messages = [message for path, item in items.items() for message in _parse_message(item, path)]
    if not messages:
        raise InvalidBody(where, "Expected at least one message")
    return tuple(messages)


def _count_parts(message: dict[str, Any]) -> int:
    """Count the parts in all fields of a message that may contain parts."""
    content = message.get("content")
    places = [message.get("parts"), content]
    if isinstance(content, dict):
        places += [content.get("parts"), content.get("content")]
    return sum(len(each) for each in places if isinstance(each, list))


def _parse_message(item: Any, where: str) -> list[Message]:
    if isinstance(item, str):
        return [Message.user(item)]
    if not isinstance(item, dict):
        raise InvalidBody(where, "Expected a string or a message")
    role = item.get("role")
    if role not in _ROLES:
        raise InvalidBody(f"{where}.role", f"Expected one of {', '.join(_ROLES)}")
    return _split_tool_results(role, parse_parts(item, where), _get_id(item))


def _get_id(item: dict[str, Any]) -> str:
    id_ = item.get("id")
    return id_ if isinstance(id_, str) and len(id_) <= MAX_ID_LENGTH else ""


def parse_parts(item: dict[str, Any], where: str) -> tuple[Part, ...]:
    """Parse the parts of a message; leave out parts that the model does not receive.

    :param item: the message.
    :param where: the path of the message for errors, such as ``messages.0``.
    :returns: the parts.
    :raises InvalidBody: for invalid content.
    """
    return tuple(
        parsed for part in _get_raw_parts(item, where) for parsed in _parse_part(part, where)
    )


def _get_raw_parts(item: dict[str, Any], where: str) -> list[Any]:
    content = item.get("content")
    parts = item.get("parts")  # a user interface also sends their text as content
    if isinstance(parts, list) and parts and not isinstance(content, dict | list):
        return parts
    if isinstance(content, dict):  # as Mastra stores it
        content = content.get("parts", content.get("content"))
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, list):
        return content
    raise InvalidBody(f"{where}.content", "Expected a string or a list of parts")


def _split_tool_results(role: Any, parts: Iterable[Part], id: str) -> list[Message]:
    """Move tool results from stored messages to separate messages."""
    groups = itertools.groupby(parts, lambda part: isinstance(part, ToolResultPart))
    return [
        Message(role="tool" if results else role, parts=tuple(group), id=id)
        for results, group in groups
    ]


def _parse_part(part: Any, where: str) -> Iterator[Part]:
    if not isinstance(part, dict):
        raise InvalidBody(f"{where}.content", "Expected parts to be objects")
    try:
        yield from _parse_known_part(part)
    except (KeyError, TypeError, ValueError) as error:  # base64 raises ValueError
        kind = part.get("type")
        raise InvalidBody(f"{where}.content", f"Invalid {kind} part: {error}") from None


def _parse_known_part(part: dict[str, Any]) -> Iterator[Part]:
    match part.get("type"):
        case "text":
            yield TextPart(text=require_string(part["text"]))
        case "image":
            yield _parse_file(part, part["image"], "image/*")
        case "file":
            yield _parse_file(part, part.get("data") or part["url"], "application/octet-stream")
        case "tool-call":
            yield ToolCallPart(
                id=require_string(part["toolCallId"]),
                name=require_string(part["toolName"]),
                arguments=_require_object(part.get("args", part.get("input"))),
            )
        case "tool-result":
            result, failed = _parse_result(part)
            yield ToolResultPart(
                id=require_string(part["toolCallId"]),
                name=require_string(part["toolName"]),
                result=result,
                failed=failed,
            )
        case "tool-invocation":
            yield from _parse_invocation(_require_object(part["toolInvocation"]))
        case str(kind) if kind.startswith("tool-") or kind == "dynamic-tool":
            name = require_string(part.get("toolName") or kind.removeprefix("tool-"))
            yield from _parse_tool_part(part, name)


def _parse_invocation(call: dict[str, Any]) -> Iterator[Part]:
    names: dict[str, Any] = {
        "id": require_string(call["toolCallId"]),
        "name": require_string(call["toolName"]),
    }
    yield ToolCallPart(**names, arguments=_require_object(call.get("args")))
    if call.get("state") == "result":
        yield ToolResultPart(**names, result=call.get("result"))
    elif call.get("state") == "output-error":
        yield ToolResultPart(**names, result=call.get("errorText"), failed=True)


def _parse_tool_part(part: dict[str, Any], name: str) -> Iterator[Part]:
    """Yield a tool call and its result, from a part in the form that newer user interfaces send."""
    names: dict[str, Any] = {"id": require_string(part["toolCallId"]), "name": name}
    yield ToolCallPart(**names, arguments=_require_object(part.get("input")))
    if part.get("state") == "output-available":
        yield ToolResultPart(**names, result=part.get("output"))
    elif part.get("state") == "output-error":
        yield ToolResultPart(**names, result=part.get("errorText"), failed=True)


def _parse_result(part: dict[str, Any]) -> tuple[Any, bool]:
    """Return the result of a tool, and whether the tool failed."""
    if "result" in part:
        return part["result"], part.get("isError") is True
    output = part.get("output")
    if not isinstance(output, dict):
        return output, False
    return output.get("value", output), output.get("type") in _FAILED_OUTPUTS


def _parse_file(part: dict[str, Any], source: Any, default: str) -> FilePart:
    media_type = require_string(part.get("mediaType") or part.get("mimeType") or default)
    name = require_string(part.get("filename") or "")
    text = require_string(source)
    if text.startswith("data:"):
        declared, data = _decode_data_url(text)
        return FilePart(media_type=declared or media_type, data=data, name=name)
    if "://" in text:
        if not _WEB_URL.match(text):  # a provider would load s3:// with the server's own account
            raise ValueError("expected a URL that begins with https:// or http://")
        return FilePart(media_type=media_type, url=text, name=name)
    return FilePart(media_type=media_type, data=base64.b64decode(text, validate=True), name=name)


def _decode_data_url(text: str) -> tuple[str, bytes]:
    """Return the media type and the content of a ``data:`` URL; the media type may be empty."""
    head, _, payload = text.removeprefix("data:").partition(",")
    media_type, _, parameters = head.partition(";")
    data = _decode_percent(payload)
    if parameters.rpartition(";")[2].strip().lower() == "base64":
        data = base64.b64decode(b"".join(data.split()), validate=True)
    return media_type, data


def _decode_percent(text: str) -> bytes:
    r"""Decode the percent-encoding of a text.

    ``urllib`` would block the event loop for a second with a large text, because its decoder is
    written in Python. Python's codec for escapes such as ``\x41`` is written in C.
    """
    if "%" not in text:
        return text.encode()
    escapes = text.replace("\\", "\\\\").replace("%", "\\x").encode()
    try:
        return escapes.decode("unicode_escape").encode("latin-1")
    except UnicodeDecodeError:
        raise ValueError("Expected two hexadecimal digits after each %") from None


def require_string(value: Any) -> str:
    """Return ``value`` if it is a string; otherwise raise an error.

    :param value: a value of decoded JSON.
    :raises TypeError: if the value is not a string.
    """
    if not isinstance(value, str):
        raise TypeError("expected a string")
    return value


def _require_object(value: Any) -> dict[str, Any]:
    """Return ``value`` if it is an object; an empty object for a missing value."""
    if not value:
        return {}
    if not isinstance(value, dict):
        raise TypeError("expected an object")
    return value
