"""What answers about messages into a thread look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

__all__ = ("Aborted", "Accepted", "Decided", "Signal")


class Signal(TypedDict):
    """A message as those who listen hear it; a memory keeps it by this id."""

    id: str
    type: Literal["user"]
    tagName: Literal["user"]
    contents: str | list[Any]
    createdAt: str
    metadata: NotRequired[dict[str, Any]]


class Accepted(TypedDict):
    """A message that is, or will be, run on."""

    accepted: Literal[True]
    runId: str
    signal: Signal


class Decided(TypedDict):
    """A call that was decided."""

    accepted: Literal[True]
    runId: str
    toolCallId: str


class Aborted(TypedDict):
    """Whether there was something to end."""

    aborted: bool
