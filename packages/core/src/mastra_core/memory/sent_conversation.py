"""Find out which messages of a caller's conversation are stored already."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from mastra_core.agents.messages import Message, TextPart, ToolCallPart, ToolResultPart
from mastra_core.memory.history import filter_parts
from mastra_core.storage.records import StoredMessage

__all__ = ("SentConversation", "split_conversation")


class SentConversation(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of a caller, in two parts.

    :param earlier: the messages that are stored already, or that precede stored messages.
    :param new: the messages of this run, including a user's message that the caller sends again,
        edited or not.
    :param is_repeated: whether the first of the new messages is stored already.
    """

    earlier: tuple[Message, ...] = ()
    new: tuple[Message, ...] = ()
    is_repeated: bool = False


_EMPTY: tuple[str, tuple[str, ...]] = ("", ())


class _Turn(msgspec.Struct, frozen=True):
    """One message of the user, or everything between two messages of the user."""

    is_user: bool
    messages: tuple[Any, ...]

    @property
    def ids(self) -> set[str]:
        return {message.id for message in self.messages if message.id}

    @property
    def content(self) -> tuple[str, tuple[str, ...]]:
        """The text and the ids of the tool calls."""
        parts = [part for message in self.messages for part in message.parts]
        text = "".join(part.text for part in parts if isinstance(part, TextPart))
        return text.strip(), tuple(part.id for part in parts if isinstance(part, ToolCallPart))


def split_conversation(
    history: Sequence[StoredMessage], known_ids: Collection[str], messages: Sequence[Message]
) -> SentConversation:
    """Split a caller's messages into messages of earlier runs and messages of this run.

    A message counts as stored if the thread has a message with the same id. An answer also counts
    as stored if a stored answer has the same text and tool calls. All messages before a stored
    message belong to earlier runs, even if they are not stored.

    :param history: the latest stored messages of the thread.
    :param known_ids: ids of stored messages of the thread.
    :param messages: the caller's messages, oldest first.
    """
    turns, stored_turns, known = _group(messages), _group(history), frozenset(known_ids)
    answers = {turn.content for turn in stored_turns if not turn.is_user} - {_EMPTY}
    for index in range(len(turns) - 1, -1, -1):
        turn = turns[index]
        if turn.ids & known or (not turn.is_user and turn.content in answers):
            break
    else:
        return SentConversation(new=tuple(messages))
    systems = tuple(message for message in messages if message.role == "system")
    is_last = index == len(turns) - 1
    if turn.is_user and is_last:
        new, earlier = turn.messages, turns[:index]
    elif is_last:
        new, earlier = _find_new_results(turn, history), turns
    else:
        new = _flatten(_drop_unanswered(stored_turns, turn, turns[index + 1 :]))
        earlier = turns[: index + 1]
    is_repeated = turn.is_user and is_last
    return SentConversation(
        earlier=_flatten(earlier), new=(*systems, *new), is_repeated=is_repeated
    )


def _group(messages: Sequence[Any]) -> list[_Turn]:
    groups: list[_Turn] = []
    others = [message for message in messages if message.role != "system"]
    for is_user, items in itertools.groupby(others, lambda message: message.role == "user"):
        if is_user:
            groups += [_Turn(True, (item,)) for item in items]
        else:
            groups.append(_Turn(False, tuple(items)))
    return groups


def _flatten(turns: Iterable[_Turn]) -> tuple[Message, ...]:
    return tuple(message for turn in turns for message in turn.messages)


def _find_new_results(turn: _Turn, history: Sequence[StoredMessage]) -> tuple[Message, ...]:
    """Return the tool results that the caller sent and that are not stored."""
    parts = [part for message in history for part in message.parts]
    known = {part.id for part in parts if isinstance(part, ToolResultPart)}
    return filter_parts(
        turn.messages, lambda part: isinstance(part, ToolResultPart) and part.id not in known
    )


def _drop_unanswered(
    history: Sequence[_Turn], anchor: _Turn, turns: Sequence[_Turn]
) -> Sequence[_Turn]:
    """Drop the user's messages that are stored after ``anchor``, because their runs failed."""
    places = [index for index, each in enumerate(history) if each.content == anchor.content]
    unanswered = history[places[-1] + 1 :] if places else []
    for one, other in zip(unanswered, turns[:-1], strict=False):
        if not one.is_user or one.content != other.content or one.content == _EMPTY:
            break
        turns = turns[1:]
    return turns
