"""Stored messages as a model is told them: whole, whatever has happened to the thread."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from mastra_core.agents.messages import Message, Part, ToolCallPart, ToolResultPart
from mastra_core.storage.records import StoredMessage

__all__ = ("conversation", "fresh", "messages_of")


def conversation(stored: Sequence[StoredMessage], new: Sequence[Message]) -> tuple[Message, ...]:
    """What was said before, then what is new.

    It begins with a user's message, and every call of a tool in it has its result: models refuse
    anything else.
    """
    before = [message for each in stored for message in messages_of(each)]
    whole = _paired([*before, *new])
    leading = itertools.takewhile(lambda message: message.role in ("assistant", "tool"), whole)
    skipped = min(len(list(leading)), len(before))
    return tuple(whole[skipped:])


def fresh(stored: Sequence[StoredMessage], new: Sequence[Message]) -> tuple[Message, ...]:
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


def messages_of(stored: StoredMessage) -> list[Message]:
    """One stored message as neutral ones: results of tools are messages of their own."""
    groups = itertools.groupby(stored.parts, lambda part: isinstance(part, ToolResultPart))
    return [
        Message(role="tool" if results else stored.role, parts=tuple(parts))
        for results, parts in groups
    ]


def _paired(messages: list[Message]) -> list[Message]:
    """Without calls that have no result, and without results that have no call before them."""
    results = {
        part.id
        for message in messages
        for part in message.parts
        if isinstance(part, ToolResultPart)
    }
    called: set[str] = set()
    whole: list[Message] = []
    for message in messages:
        parts = tuple(part for part in message.parts if _sound(part, called, results))
        if parts:
            whole.append(msgspec.structs.replace(message, parts=parts))
    return whole


def _sound(part: Part, called: set[str], results: set[str]) -> bool:
    if isinstance(part, ToolCallPart):
        if part.id not in results:
            return False
        called.add(part.id)
    return not isinstance(part, ToolResultPart) or part.id in called
