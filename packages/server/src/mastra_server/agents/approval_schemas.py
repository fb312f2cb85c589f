"""Define the types of suspended runs for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

import msgspec

from mastra_server.http.schemas import ContextQuery

__all__ = ("SuspendedList", "SuspendedQuery", "SuspendedRun", "WaitingCall")

Date = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class SuspendedQuery(ContextQuery):
    """The filter and the page of a list of suspended runs."""

    thread_id: str = ""
    resource_id: str = ""
    from_date: Date = ""
    to_date: Date = ""
    page: Annotated[int, msgspec.Meta(ge=0)] = 0
    per_page: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100


class WaitingCall(TypedDict):
    """A tool call that waits for a decision."""

    toolCallId: str
    toolName: str
    args: dict[str, Any]
    requiresApproval: bool


class SuspendedRun(TypedDict):
    """A run of an agent that waits for a decision."""

    runId: str
    status: Literal["suspended"]
    suspendedAt: str
    threadId: str | None
    resourceId: str | None
    toolCalls: list[WaitingCall]


class SuspendedList(TypedDict):
    """A page of suspended runs."""

    runs: list[SuspendedRun]
    total: int
