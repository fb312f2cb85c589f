"""Stored messages as a model is told them: whole, whatever has happened to the thread."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from mastra_core.agents.messages import FilePart, Message, TextPart, ToolCallPart, ToolResultPart
from mastra_core.storage.records import StoredMessage

__all__ = ("build_conversation", "drop_stored_calls", "to_messages")


def build_conversation(
    stored: Sequence[StoredMessage], new: Sequence[Message]
) -> tuple[Message, ...]:
    """What was said before, then what is new.

    Models refuse a call without a result right after it, a result without a call, and most of
    them a conversation that the assistant begins; so none of these is told.
    """
    before = [message for each in stored for message in to_messages(each)]
    messages = [*before, *new]
    users = [index for index, message in enumerate(messages) if message.role in ("user", "system")]
    first = min(users[0], len(before)) if users else 0
    return tuple(_paired(messages[first:]))


def drop_stored_calls(
    stored: Sequence[StoredMessage], new: Sequence[Message]
) -> tuple[Message, ...]:
    """What is new without the calls that are stored: clients send them again beside the results
    of their own tools.
    """
    called = {part.id for each in stored for part in each.parts if isinstance(part, ToolCallPart)}
    without = [
        msgspec.structs.replace(
            message,
            parts=tuple(
                part
                for part in message.parts
                if not (isinstance(part, ToolCallPart) and part.id in called)
            ),
        )
        for message in new
    ]
    return tuple(message for message in without if message.parts)


def to_messages(stored: StoredMessage) -> list[Message]:
    """One stored message as neutral ones: results of tools are messages of their own."""
    groups = itertools.groupby(stored.parts, lambda part: isinstance(part, ToolResultPart))
    return [
        Message(role="tool" if results else stored.role, parts=tuple(parts))
        for results, parts in groups
    ]


def _paired(messages: Sequence[Message]) -> list[Message]:
    """Without calls that have no result, and without results that have no call."""
    answered = _answered(messages)
    whole = [
        msgspec.structs.replace(
            message,
            parts=tuple(
                part
                for at, part in enumerate(message.parts)
                if isinstance(part, TextPart | FilePart) or (index, at) in answered
            ),
        )
        for index, message in enumerate(messages)
    ]
    return [message for message in whole if message.parts]


def _answered(messages: Sequence[Message]) -> set[tuple[int, int]]:
    """Where calls are whose results follow at once, and where these results are."""
    found: set[tuple[int, int]] = set()
    waiting: dict[str, tuple[int, int]] = {}
    for index, message in enumerate(messages):
        if message.role != "tool":
            waiting = {}
        for at, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                waiting[part.id] = (index, at)
            elif isinstance(part, ToolResultPart) and part.id in waiting:
                found |= {waiting.pop(part.id), (index, at)}
    return found
