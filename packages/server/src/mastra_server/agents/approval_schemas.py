"""What queries and answers about suspended runs look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

import msgspec

from mastra_server.http.schemas import ContextQuery

__all__ = ("SuspendedList", "SuspendedQuery", "SuspendedRun", "WaitingCall")

Date = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class SuspendedQuery(ContextQuery):
    """Which of the runs that wait."""

    thread_id: str = ""
    resource_id: str = ""
    from_date: Date = ""
    to_date: Date = ""
    page: Annotated[int, msgspec.Meta(ge=0)] = 0
    per_page: Annotated[int, msgspec.Meta(ge=1)] = 100


class WaitingCall(TypedDict):
    """A call that somebody must decide."""

    toolCallId: str
    toolName: str
    args: dict[str, Any]
    requiresApproval: bool


class SuspendedRun(TypedDict):
    """A run of an agent that waits for somebody."""

    runId: str
    status: Literal["suspended"]
    suspendedAt: str
    threadId: str | None
    resourceId: str | None
    toolCalls: list[WaitingCall]


class SuspendedList(TypedDict):
    """Runs that wait."""

    runs: list[SuspendedRun]
    total: int
