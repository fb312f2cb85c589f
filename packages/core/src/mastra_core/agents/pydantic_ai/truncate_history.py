"""pydantic-ai's own messages, cut down to the last turns."""

from __future__ import annotations

import msgspec

__all__ = ("truncate_history",)


class _Part(msgspec.Struct):
    part_kind: str


class _Message(msgspec.Struct):
    parts: list[_Part] = []

    @property
    def begins(self) -> bool:
        """A user speaks, and it is no answer to a call: what comes before can be left out."""
        kinds = {part.part_kind for part in self.parts}
        return "user-prompt" in kinds and not kinds & {"tool-return", "retry-prompt"}


def truncate_history(history: bytes, turns: int) -> bytes:
    """The last ``turns`` turns of ``history``, each from a user's message on.

    Empty where a turn cannot be told from another.
    """
    messages = msgspec.json.decode(history, type=list[msgspec.Raw])
    looked_at = msgspec.json.decode(history, type=list[_Message])
    begins = [index for index, message in enumerate(looked_at) if message.begins]
    return msgspec.json.encode(messages[begins[-turns] :]) if len(begins) >= turns else b""
