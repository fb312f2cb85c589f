"""Define the types of the responses about threads for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

__all__ = ("Aborted", "Accepted", "Decided", "Signal")


class Signal(TypedDict):
    """A message for subscribers, with its id in the memory."""

    id: str
    type: Literal["user"]
    tagName: Literal["user"]
    contents: str | list[Any]
    createdAt: str
    metadata: NotRequired[dict[str, Any]]


class Accepted(TypedDict):
    """An accepted message; its run begins now or later."""

    accepted: Literal[True]
    runId: str
    signal: Signal


class Decided(TypedDict):
    """A tool call that was approved or declined."""

    accepted: Literal[True]
    runId: str
    toolCallId: str


class Aborted(TypedDict):
    """Whether there was a run to abort."""

    aborted: bool
