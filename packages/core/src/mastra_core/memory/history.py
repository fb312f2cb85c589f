"""Convert stored messages to messages that models accept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import msgspec

from mastra_core.agents.messages import (
    FilePart,
    Message,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from mastra_core.storage.records import StoredMessage

__all__ = ("build_conversation", "drop_stored_calls", "filter_parts", "to_messages")


def build_conversation(
    history: Sequence[StoredMessage], new: Sequence[Message]
) -> tuple[Message, ...]:
    """Build a conversation from stored and new messages.

    Most models reject a tool call that is not directly followed by its result, a result without a
    call, and a conversation that starts with the assistant. The function leaves out parts that
    models reject.

    :param history: the stored messages, oldest first.
    :param new: the new messages.
    """
    before = [message for each in history for message in to_messages(each)]
    messages = [*before, *new]
    users = [index for index, message in enumerate(messages) if message.role in ("user", "system")]
    first = min(users[0], len(before)) if users else 0
    return tuple(_drop_unpaired(messages[first:]))


def drop_stored_calls(
    history: Sequence[StoredMessage], new: Sequence[Message]
) -> tuple[Message, ...]:
    """Return the new messages without tool calls that are already stored.

    A client that sends the result of a client tool also sends the stored call again.

    :param history: the stored messages.
    :param new: the new messages.
    """
    stored_ids = {
        part.id for each in history for part in each.parts if isinstance(part, ToolCallPart)
    }
    return filter_parts(
        new, lambda part: not (isinstance(part, ToolCallPart) and part.id in stored_ids)
    )


def filter_parts(
    messages: Sequence[Message], matches: Callable[[Part], bool]
) -> tuple[Message, ...]:
    """Remove the parts that do not match, and the messages that then have no parts.

    :param messages: the messages.
    :param matches: returns whether to keep a part.
    """
    kept = [
        msgspec.structs.replace(message, parts=tuple(filter(matches, message.parts)))
        for message in messages
    ]
    return tuple(message for message in kept if message.parts)


def to_messages(message: StoredMessage) -> list[Message]:
    """Convert a stored message to messages; each tool result becomes a message of its own.

    :param message: the stored message.
    """
    groups = itertools.groupby(message.parts, lambda part: isinstance(part, ToolResultPart))
    return [
        Message(role="tool" if results else message.role, parts=tuple(parts))
        for results, parts in groups
    ]


def _drop_unpaired(messages: Sequence[Message]) -> list[Message]:
    """Remove calls without a result, and results without a call."""
    pairs = _find_pairs(messages)
    stripped = [
        msgspec.structs.replace(
            message,
            parts=tuple(
                part
                for position, part in enumerate(message.parts)
                if isinstance(part, TextPart | FilePart) or (index, position) in pairs
            ),
        )
        for index, message in enumerate(messages)
    ]
    return [message for message in stripped if message.parts]


def _find_pairs(messages: Sequence[Message]) -> set[tuple[int, int]]:
    """Return the positions of all calls with a later result, and the positions of these results."""
    pairs: set[tuple[int, int]] = set()
    open_calls: dict[str, tuple[int, int]] = {}
    for index, message in enumerate(messages):
        if message.role != "tool":
            open_calls = {}
        for position, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                open_calls[part.id] = (index, position)
            elif isinstance(part, ToolResultPart) and part.id in open_calls:
                pairs |= {open_calls.pop(part.id), (index, position)}
    return pairs
