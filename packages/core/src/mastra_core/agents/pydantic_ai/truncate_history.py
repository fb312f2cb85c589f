"""Truncate serialised pydantic-ai messages."""

from __future__ import annotations

import msgspec

__all__ = ("truncate_history",)


class _Part(msgspec.Struct):
    part_kind: str


class _Message(msgspec.Struct):
    parts: list[_Part] = []

    @property
    def starts_turn(self) -> bool:
        """Whether the message begins a turn; a shortened history must start with such a message."""
        kinds = {part.part_kind for part in self.parts}
        return "user-prompt" in kinds and not kinds & {"tool-return", "retry-prompt"}


def truncate_history(history: bytes, turns: int) -> bytes:
    """Return the last turns of a history; each turn starts with a user's message.

    :param history: serialised pydantic-ai messages.
    :param turns: how many turns to keep.
    :returns: the shorter history; empty if ``history`` has fewer than ``turns`` turns or cannot be
        read, or if no turn is kept.
    """
    try:
        messages = msgspec.json.decode(history, type=list[msgspec.Raw])
        decoded = msgspec.json.decode(history, type=list[_Message])
    except msgspec.DecodeError:
        return b""
    if turns < 1:
        return b""
    starts = [index for index, message in enumerate(decoded) if message.starts_turn]
    return msgspec.json.encode(messages[starts[-turns] :]) if len(starts) >= turns else b""
