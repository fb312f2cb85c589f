"""Convert records to rows, and rows to records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from mastra_core.agents.messages import Part
from mastra_core.database.encodable_text import check_encodable
from mastra_core.database.unreadable_data import build_unreadable_error
from mastra_core.errors import InvalidInput, UnreadableData
from mastra_core.json_repair import repair_text
from mastra_core.logger import get_logger
from mastra_core.schema import encode_json
from mastra_core.storage.records import StoredMessage, Thread

__all__ = (
    "MESSAGE",
    "THREAD",
    "JsonNames",
    "JsonText",
    "check_row_size",
    "encode_names",
    "parse_listed_thread",
    "parse_message",
    "parse_thread",
    "to_message_row",
    "to_thread_row",
)

THREAD = "id, resource, title, metadata, created_at, updated_at"
MESSAGE = "id, thread, role, parts, content, metadata, created_at"
_PARTS = msgspec.json.Decoder(tuple[Part, ...])
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_ANY = msgspec.json.Decoder()

T = TypeVar("T")


class JsonText(str):
    """A text with JSON, which a statement binds as one value."""

    __slots__ = ()


class JsonNames(JsonText):
    """A JSON list of names."""

    __slots__ = ()


def encode_names(names: Iterable[str]) -> JsonNames:
    """Encode names as a JSON list, so that a statement binds any number of them as one value.

    :param names: the names.
    :raises InvalidInput: when UTF-8 cannot encode a name.
    """
    listed = [*names]
    check_encodable(*listed)
    return JsonNames(encode_json(listed).decode())


def check_row_size(row: Iterable[Any], name: str, maximum: int | None) -> None:
    """Check that a row fits in the database.

    :param row: the values of the row.
    :param name: what the row contains, for the message: ``message 'm1'``.
    :param maximum: maximum size of a row; ``None`` for no maximum.
    :raises InvalidInput: when the row is larger.
    """
    if maximum is None:
        return
    size = sum(map(_get_value_size, row))
    if size > maximum:
        raise InvalidInput(
            f"The {name} has {size} bytes, but one row of the database can have at most {maximum}.",
            "Store less content, or store files elsewhere and pass their URLs.",
        )


def _get_value_size(value: Any) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))
    return len(value) if isinstance(value, bytes) else 8


def to_thread_row(thread: Thread) -> tuple[Any, ...]:
    """Convert a thread to a row with the columns in ``THREAD``.

    :param thread: the thread.
    """
    return (
        thread.id,
        thread.resource,
        repair_text(thread.title),
        encode_json(thread.metadata),
        thread.created_at,
        thread.updated_at,
    )


def parse_thread(row: tuple[Any, ...]) -> Thread:
    """Convert a row with the columns in ``THREAD`` to a thread.

    :param row: the row.
    :raises UnreadableData: when the metadata is damaged.
    """
    id_, resource, title, metadata, created_at, updated_at = row
    return Thread(
        id=id_,
        resource=resource,
        title=title,
        metadata=_decode(_OBJECT, metadata, f"The metadata of the thread {id_!r}"),
        created_at=created_at,
        updated_at=updated_at,
    )


def parse_listed_thread(row: tuple[Any, ...]) -> Thread:
    """Convert a row to a thread of a list, in which the other threads must be shown in any case.

    :param row: the row; if its metadata is damaged, the thread has no metadata.
    """
    try:
        return parse_thread(row)
    except UnreadableData as error:
        get_logger("mastra.storage").warning("%s", error.message)
        id_, resource, title, _, *times = row
        return parse_thread((id_, resource, title, b"{}", *times))


def to_message_row(message: StoredMessage) -> tuple[Any, ...]:
    """Convert a message to a row with the columns in ``MESSAGE``.

    :param message: the message.
    """
    return (
        message.id,
        message.thread,
        message.role,
        encode_json(message.parts),
        encode_json(message.content),
        encode_json(message.metadata),
        message.created_at,
    )


def parse_message(row: tuple[Any, ...]) -> StoredMessage:
    """Convert a row with the columns in ``MESSAGE`` to a message.

    :param row: the row.
    :raises UnreadableData: when the message is damaged.
    """
    id_, thread, role, parts, content, metadata, created_at = row
    name = f"The message {id_!r} of the thread {thread!r}"
    return StoredMessage(
        id=id_,
        thread=thread,
        role=role,
        parts=_decode(_PARTS, parts, name),
        content=_decode(_ANY, content, name),
        metadata=_decode(_OBJECT, metadata, name),
        created_at=created_at,
    )


def _decode(decoder: msgspec.json.Decoder[T], data: bytes, name: str) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise build_unreadable_error(name, error) from None
