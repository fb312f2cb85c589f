"""Records as rows of tables, and back."""

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.agents.messages import Part
from mastra_core.schema import dump
from mastra_core.storage.records import StoredMessage, Thread

__all__ = (
    "MESSAGE",
    "THREAD",
    "encode_json",
    "parse_message",
    "parse_thread",
    "to_message_row",
    "to_thread_row",
)

THREAD = "id, resource, title, metadata, created_at, updated_at"
MESSAGE = "id, thread, role, parts, content, metadata, created_at"
_PARTS = msgspec.json.Decoder(tuple[Part, ...])


def encode_json(value: Any) -> bytes:
    """``value`` as JSON."""
    return msgspec.json.encode(value, enc_hook=dump)


def to_thread_row(thread: Thread) -> tuple[Any, ...]:
    """In the order of ``THREAD``."""
    return (
        thread.id,
        thread.resource,
        thread.title,
        encode_json(thread.metadata),
        thread.created_at,
        thread.updated_at,
    )


def parse_thread(row: tuple[Any, ...]) -> Thread:
    """A row in the order of ``THREAD``."""
    id_, resource, title, metadata, created_at, updated_at = row
    return Thread(
        id=id_,
        resource=resource,
        title=title,
        metadata=msgspec.json.decode(metadata),
        created_at=created_at,
        updated_at=updated_at,
    )


def to_message_row(message: StoredMessage) -> tuple[Any, ...]:
    """In the order of ``MESSAGE``."""
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
    """A row in the order of ``MESSAGE``."""
    id_, thread, role, parts, content, metadata, created_at = row
    return StoredMessage(
        id=id_,
        thread=thread,
        role=role,
        parts=_PARTS.decode(parts),
        content=msgspec.json.decode(content),
        metadata=msgspec.json.decode(metadata),
        created_at=created_at,
    )
