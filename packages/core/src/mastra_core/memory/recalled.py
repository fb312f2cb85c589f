"""Stored messages as a model is told them: whole, whatever has happened to the thread."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import msgspec

from mastra_core.agents.messages import Message, Part, ToolCallPart, ToolResultPart
from mastra_core.storage.records import StoredMessage

__all__ = ("conversation", "messages_of")


def conversation(stored: Sequence[StoredMessage], new: Sequence[Message]) -> tuple[Message, ...]:
    """What was said before, then what is new.

    It begins with a user's message, and every call of a tool in it has its result: models refuse
    anything else. A call that the caller sends again, as clients do with the results of their own
    tools, is told once.
    """
    before = [message for each in stored for message in messages_of(each)]
    called = _ids(before, ToolCallPart)
    fresh = [_without(message, called) for message in new]
    results = _ids([*before, *fresh], ToolResultPart)
    whole = _paired([*before, *(message for message in fresh if message.parts)], results)
    leading = itertools.takewhile(lambda message: message.role in ("assistant", "tool"), whole)
    skipped = min(len(list(leading)), len(before))
    return tuple(whole[skipped:])


def messages_of(stored: StoredMessage) -> list[Message]:
    """One stored message as neutral ones: results of tools are messages of their own."""
    groups = itertools.groupby(stored.parts, lambda part: isinstance(part, ToolResultPart))
    return [
        Message(role="tool" if results else stored.role, parts=tuple(parts))
        for results, parts in groups
    ]


def _ids(messages: Iterable[Message], kind: type[ToolCallPart | ToolResultPart]) -> set[str]:
    return {part.id for message in messages for part in message.parts if isinstance(part, kind)}


def _without(message: Message, called: set[str]) -> Message:
    parts = [
        part for part in message.parts if not (isinstance(part, ToolCallPart) and part.id in called)
    ]
    return msgspec.structs.replace(message, parts=tuple(parts))


def _paired(messages: list[Message], results: set[str]) -> list[Message]:
    """Without calls that have no result, and without results that have no call before them."""
    called: set[str] = set()
    whole: list[Message] = []
    for message in messages:
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                if part.id not in results:
                    continue
                called.add(part.id)
            elif isinstance(part, ToolResultPart) and part.id not in called:
                continue
            parts.append(part)
        if parts:
            whole.append(msgspec.structs.replace(message, parts=tuple(parts)))
    return whole
