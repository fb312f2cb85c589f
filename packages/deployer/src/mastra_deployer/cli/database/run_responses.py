"""Check the responses of a server to operations on runs."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

__all__ = ("check_response",)

_LAST_TIME = 253_402_300_799_999  # the end of the year 9999; datetime has no later time
_Time = Annotated[int, msgspec.Meta(ge=0, le=_LAST_TIME)]  # milliseconds since the epoch


class _Step(TypedDict):
    status: str


class _Child(TypedDict):
    runId: str
    workflowId: str
    status: str


class _Error(TypedDict):
    name: str
    message: str


class _Run(TypedDict):
    runId: str
    workflowId: str
    status: str
    suspendedSteps: list[str]
    createdAt: _Time


class _RunDetails(_Run):
    fingerprint: str
    holder: str
    attempt: int
    priority: int
    parentRunId: str | None
    children: list[_Child]
    steps: dict[str, _Step]
    error: _Error | None
    parked: NotRequired[bool]  # a server of an earlier version does not send it


class _Parked(TypedDict):
    workflow: str
    fingerprint: str
    count: int


class _Runs(TypedDict):
    runs: list[_Run]
    counts: dict[str, int]
    parked: list[_Parked]


class _ChangedRun(TypedDict):
    run: _Run


class _ShownRun(TypedDict):
    run: _RunDetails


class _Fingerprint(TypedDict):
    fingerprint: str
    createdAt: _Time
    processes: list[str]
    unfinished: int


class _Fingerprints(TypedDict):
    fingerprints: list[_Fingerprint]


class _Moves(TypedDict):
    to: str
    moved: list[str]
    refused: dict[str, str]
    next: int | None


_TYPES: dict[str, Any] = {
    "list_runs": _Runs,
    "show_run": _ShownRun,
    "list_fingerprints": _Fingerprints,
    "cancel_run": _ChangedRun,
    "resume_run": _ChangedRun,
    "retry_run": _ChangedRun,
    "move_runs": _Moves,
}


def check_response(operation: str, response: Any) -> Any:
    """Check the fields that commands show, and return the response with all its fields.

    :param operation: the name of the operation.
    :param response: the response, JSON builtins.
    :raises msgspec.ValidationError: when a field is missing or has another type.
    """
    msgspec.convert(response, _TYPES[operation])
    return response
