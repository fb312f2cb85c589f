"""The parameters of A2A's methods, in the forms of the versions 0.3 and 1.0."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from mastra_server.http.request_body import (
    MAX_ITEMS,
    Id,
    InvalidBody,
    MaybeId,
    check_metadata,
)

__all__ = ("ListParams", "Message", "SendParams", "TaskParams", "to_plain_message")

_MAX_PAGE = 100
_Parts = Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1, max_length=MAX_ITEMS)]
_Ids = Annotated[list[Id], msgspec.Meta(max_length=MAX_ITEMS)]
_Length = Annotated[int, msgspec.Meta(ge=0)]
_KEYS = ("text", "raw", "url", "data")  # the content of a part in version 1.0


class Message(msgspec.Struct, rename="camel"):
    """A message to an agent."""

    message_id: Id
    role: Literal["user", "agent", "ROLE_USER", "ROLE_AGENT"]
    parts: _Parts
    context_id: MaybeId = None
    task_id: MaybeId = None
    reference_task_ids: _Ids | None = None
    extensions: _Ids | None = None
    metadata: dict[str, Any] | None = None


class Configuration(msgspec.Struct, rename="camel"):
    """The options of the response to a message."""

    blocking: bool | None = None
    return_immediately: bool | None = None  # version 1.0
    history_length: _Length | None = None
    push_notification_config: Any = None
    task_push_notification_config: Any = None  # version 1.0

    @property
    def is_blocking(self) -> bool:
        """Whether the response waits for the end of the run."""
        return not self.return_immediately if self.blocking is None else self.blocking

    @property
    def has_push_notifications(self) -> bool:
        """Whether the server is asked to send notifications."""
        return bool(self.push_notification_config or self.task_push_notification_config)


class SendParams(msgspec.Struct, rename="camel"):
    """The parameters of ``message/send`` and ``message/stream``."""

    message: Message
    configuration: Configuration = msgspec.field(default_factory=Configuration)
    metadata: dict[str, Any] | None = None


class TaskParams(msgspec.Struct, rename="camel"):
    """The parameters of a method that reads or changes one task."""

    id: Id
    history_length: _Length | None = None


class ListParams(msgspec.Struct, rename="camel"):
    """The parameters of ``ListTasks``."""

    context_id: MaybeId = None
    status: str | int | None = None
    page_size: Annotated[int, msgspec.Meta(ge=0, le=_MAX_PAGE)] = 50
    page_token: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{1,9})?$")] = ""
    history_length: _Length | None = None
    status_timestamp_after: str | None = None
    include_artifacts: bool = False


def to_plain_message(message: Message) -> dict[str, Any]:
    """Convert a message to the form of version 0.3, because tasks are stored in that form.

    :param message: the message.
    :raises InvalidBody: for a part without content, or metadata that is too large.
    """
    check_metadata(message.metadata, "params.message.metadata")
    fields = {
        "messageId": message.message_id,
        "contextId": message.context_id,
        "taskId": message.task_id,
        "referenceTaskIds": message.reference_task_ids,
        "extensions": message.extensions,
        "metadata": message.metadata,
    }
    return {
        "kind": "message",
        "role": "agent" if message.role in ("agent", "ROLE_AGENT") else "user",
        "parts": [_to_plain_part(part, index) for index, part in enumerate(message.parts)],
        **{key: value for key, value in fields.items() if value},
    }


def _to_plain_part(part: dict[str, Any], index: int) -> dict[str, Any]:
    where = f"params.message.parts.{index}"
    metadata = part.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise InvalidBody(f"{where}.metadata", "Expected an object")
    check_metadata(metadata, f"{where}.metadata")
    plain = _read_content(part, where)
    return {**plain, "metadata": metadata} if metadata else plain


def _read_content(part: dict[str, Any], where: str) -> dict[str, Any]:
    match part:
        case {"kind": "text", "text": str(text)}:
            return {"kind": "text", "text": text}
        case {"kind": "file", "file": {"bytes": str()} | {"uri": str()} as file}:
            return {"kind": "file", "file": _select_texts(file, "bytes", "uri", "mimeType", "name")}
        case {"kind": "data", "data": dict(data)}:
            return {"kind": "data", "data": data}
    if "kind" in part or sum(part.get(key) is not None for key in _KEYS) != 1:
        raise InvalidBody(where, "Expected a text, a file or data")
    match part:
        case {"text": str(text)}:
            return {"kind": "text", "text": text}
        case {"raw": str(source)} | {"url": str(source)}:
            file = {"bytes" if "raw" in part else "uri": source}
            names = {"mimeType": part.get("mediaType"), "name": part.get("filename")}
            return {"kind": "file", "file": {**file, **_select_texts(names, "mimeType", "name")}}
        case {"data": data}:
            return {"kind": "data", "data": data}
    raise InvalidBody(where, "Expected a text, a file or data")


def _select_texts(fields: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: fields[name] for name in names if isinstance(fields.get(name), str)}
