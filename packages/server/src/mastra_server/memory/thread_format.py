"""Convert threads and messages between storage and the wire."""

from __future__ import annotations

import base64
from typing import Any

from mastra_core.agents import FilePart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from mastra_core.memory import Memory
from mastra_core.memory.assistant_message import APPROVALS
from mastra_core.storage import Page, StoredMessage, Thread
from mastra_core.storage.records import now
from mastra_server.agents.input_messages import parse_parts
from mastra_server.agents.messages import build_finished_call, build_reasoning_part
from mastra_server.agents.transcript import APPROVAL_SCHEMA
from mastra_server.http.dates import format_iso, parse_iso
from mastra_server.http.request_body import InvalidBody, check_metadata, require_id

__all__ = (
    "build_config",
    "build_message",
    "build_pagination",
    "build_thread",
    "parse_saved_message",
)

_ROLES = ("system", "user", "assistant", "tool")


def build_thread(thread: Thread) -> dict[str, Any]:
    """Build a thread of a response.

    :param thread: the thread.
    """
    return {
        "id": thread.id,
        "resourceId": thread.resource,
        "title": thread.title,
        "metadata": thread.metadata,
        "createdAt": format_iso(thread.created_at),
        "updatedAt": format_iso(thread.updated_at),
    }


def build_message(message: StoredMessage, resource: str) -> dict[str, Any]:
    """Build a message for a response, in the form in which Mastra stores messages.

    :param message: the message. Content that a client saved in Mastra's form is returned unchanged.
    :param resource: the resource that owns the message's thread.
    """
    return {
        "id": message.id,
        "role": "assistant" if message.role == "tool" else message.role,
        "content": _build_content(message) if message.content is None else message.content,
        "createdAt": format_iso(message.created_at),
        "threadId": message.thread,
        "resourceId": resource,
    }


def parse_saved_message(item: dict[str, Any], index: int, id: str) -> StoredMessage:
    """Parse a message that a client saves.

    :param item: the decoded JSON.
    :param index: the position of the message in the request, for error messages.
    :param id: the id for a message that has none.
    :returns: the message.
    :raises InvalidBody: for an invalid message, or for a message without a thread.
    """
    where = f"messages.{index}"
    thread = require_id(item.get("threadId"), f"{where}.threadId")
    role = item.get("role")
    if role not in _ROLES:
        raise InvalidBody(f"{where}.role", f"Expected one of {', '.join(_ROLES)}")
    content = item.get("content")
    metadata = content.get("metadata") if isinstance(content, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    check_metadata(metadata, f"{where}.content.metadata")
    created_at = parse_iso(item.get("createdAt"), f"{where}.createdAt")
    return StoredMessage(
        id=require_id(str(item.get("id") or id), f"{where}.id"),
        thread=thread,
        role=role,
        parts=parse_parts(item, where),
        created_at=now() if created_at is None else created_at,
        metadata=metadata,
        content=content if isinstance(content, dict) else None,
    )


def build_pagination(result: Page[Any], page: int, per_page: int | None) -> dict[str, Any]:
    """Build the pagination of a response.

    :param result: the page from the storage.
    :param page: the number of the page, from 0.
    :param per_page: the size of a page, ``None`` for everything.
    """
    has_more = per_page is not None and (page + 1) * per_page < result.total
    return {
        "total": result.total,
        "page": page,
        "perPage": False if per_page is None else per_page,
        "hasMore": has_more,
    }


def build_config(memory: Memory) -> dict[str, Any]:
    """Build the configuration of a memory.

    :param memory: the memory.
    """
    working: dict[str, Any] = {"enabled": memory.notes_form is not None}
    if memory.notes_form is not None:
        working |= {"scope": memory.scope, "template": memory.notes_form.template_text}
    return {
        "lastMessages": memory.last_messages or False,
        "semanticRecall": False,
        "generateTitle": memory.title_generator is not None,
        "workingMemory": working,
        "observationalMemory": {"enabled": False},
    }


def _build_content(message: StoredMessage) -> dict[str, Any]:
    results = {part.id: part for part in message.parts if isinstance(part, ToolResultPart)}
    calls = {part.id for part in message.parts if isinstance(part, ToolCallPart)}
    parts = [
        {**_build_part(part, results), "createdAt": message.created_at}
        for part in message.parts
        if not (isinstance(part, ToolResultPart) and part.id in calls)
    ]
    text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
    content = {"format": 2, "parts": parts, "content": text}
    metadata = _add_schemas(message.metadata)
    return {**content, "metadata": metadata} if metadata else content


def _add_schemas(metadata: dict[str, Any]) -> dict[str, Any]:
    """Add the schema of the expected decision to each tool call that waits for approval."""
    calls = metadata.get(APPROVALS)
    if not isinstance(calls, dict):
        return metadata
    described = {
        key: {**call, "resumeSchema": APPROVAL_SCHEMA} if isinstance(call, dict) else call
        for key, call in calls.items()
    }
    return {**metadata, APPROVALS: described}


def _build_part(part: Any, results: dict[str, ToolResultPart]) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ReasoningPart():
            return build_reasoning_part(part.text)
        case FilePart():
            data = part.url or _to_data_url(part)
            file = {"type": "file", "mimeType": part.media_type, "data": data}
            return {**file, "filename": part.name} if part.name else file
    call = {
        "toolCallId": part.id,
        "toolName": part.name,
        "args": getattr(part, "arguments", {}),
    }
    result = results.get(part.id)
    if result is None:
        call = {"state": "call", **call}
    else:
        call = build_finished_call(call, result.result, is_error=result.failed)
    return {"type": "tool-invocation", "toolInvocation": call}


def _to_data_url(part: FilePart) -> str:
    return f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"
