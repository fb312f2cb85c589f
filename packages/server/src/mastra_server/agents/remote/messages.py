"""The messages between the servers that share a database."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ("Message", "MessageKind")

MessageKind = Literal[
    "abort",
    "abort-thread",
    "accept",
    "alive",
    "cancel",
    "end",
    "frame",
    "leave",
    "listen",
    "none",
    "observe",
    "started",
    "wait",
]


class Message(msgspec.Struct, omit_defaults=True):
    """A message to all servers, or to one of them.

    :param kind: the kind of the message.
    :param sender: the name of the server that sends the message.
    :param request: the id of a request. All messages about the request have this id.
    :param agent: the id of the agent.
    :param owner: the resource that the caller is confined to; empty without a restriction.
    :param run: the id of the run.
    :param resource: the resource that the caller names, or that the run belongs to.
    :param thread: the thread that the caller is confined to, or that the run belongs to.
    :param after: the number of frames to skip; ``None`` skips the frames before the run's last
        start.
    :param number: the position of ``data`` in its frame. Without it, two equal parts would be equal
        messages, and one of them would be lost.
    :param data: a part of a frame, in base64.
    :param is_last: whether the part is the last one of its frame.
    :param stamp: the start time of a run by the logical clock that all servers share.
    """

    kind: MessageKind
    sender: str
    request: str = ""
    agent: str = ""
    owner: str = ""
    run: str = ""
    resource: str = ""
    thread: str = ""
    after: int | None = None
    number: int = 0
    data: str = ""
    is_last: bool = False
    stamp: int = 0

    def encode(self) -> str:
        """Return the message as JSON."""
        return msgspec.json.encode(self).decode()
