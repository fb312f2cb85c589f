"""Define the types of workflow queries and responses for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec

from mastra_server.http.schemas import ContextQuery, Count, Schema

__all__ = (
    "ListedRun",
    "ObserveQuery",
    "RunCounts",
    "RunCreated",
    "RunDetails",
    "RunFieldsQuery",
    "RunIdQuery",
    "RunList",
    "RunListQuery",
    "RunOwnerQuery",
    "WorkflowDetails",
    "WorkflowResult",
)

Status = Literal[
    "pending",
    "running",
    "waiting",
    "suspended",
    "success",
    "failed",
    "canceled",
    "paused",
    "bailed",
    "tripwire",
    "skipped",
]


_Owner = Annotated[
    str, msgspec.Meta(description="Its owner, if several resources have a run with this id.")
]


class RunOwnerQuery(ContextQuery):
    """The owner of the run in the path."""

    resource_id: _Owner = ""


class RunIdQuery(ContextQuery, kw_only=True):
    """The query of an operation on one run."""

    run_id: Annotated[str, msgspec.Meta(min_length=1)]
    resource_id: _Owner = ""


class ObserveQuery(RunIdQuery, kw_only=True):
    """The run to observe, and the first chunk to send."""

    offset: Annotated[
        int,
        msgspec.Meta(
            ge=0, description="The number of chunks to skip at the start of the run's stream."
        ),
    ] = 0


class RunFieldsQuery(RunOwnerQuery):
    """The fields of a run that the response contains."""

    with_nested_workflows: Annotated[
        str, msgspec.Meta(description="`false` leaves out the steps of nested workflows.")
    ] = ""

    fields: Annotated[str, msgspec.Meta(description="Field names, separated by commas.")] = ""


class RunListQuery(ContextQuery):
    """The filter and the page of a list of runs."""

    page: Count = 0
    per_page: Count = 100
    limit: Count = 100
    offset: Count = 0
    status: Status = "success"
    resource_id: str = ""
    from_date: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})] = ""
    to_date: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})] = ""


class StepDetails(TypedDict):
    """A step."""

    id: str
    description: NotRequired[str]
    inputSchema: NotRequired[Schema]
    outputSchema: NotRequired[Schema]
    resumeSchema: NotRequired[Schema]
    suspendSchema: NotRequired[Schema]


class WorkflowDetails(TypedDict):
    """A workflow."""

    name: str
    description: NotRequired[str]
    steps: dict[str, StepDetails]
    stepGraph: list[dict[str, Any]]
    inputSchema: NotRequired[Schema]
    outputSchema: NotRequired[Schema]
    stepCount: NotRequired[int]


class RunCounts(TypedDict):
    """The number of unfinished runs of a workflow."""

    running: int
    suspended: int


class RunCreated(TypedDict):
    """The id of the created run."""

    runId: str


class RunFailure(TypedDict):
    """Why a run failed."""

    message: str
    name: str


class WorkflowResult(TypedDict):
    """A run that has ended, or is suspended."""

    status: Status
    runId: str
    input: NotRequired[Any]
    steps: dict[str, Any]
    result: NotRequired[Any]
    error: NotRequired[RunFailure]
    suspended: NotRequired[list[list[str]]]
    suspendPayload: NotRequired[dict[str, Any]]
    stepExecutionPath: list[str]


class RunDetails(TypedDict):
    """A run in its present state."""

    runId: str
    workflowName: str
    status: Status
    resourceId: str | None
    createdAt: str
    updatedAt: str
    result: NotRequired[Any]
    payload: NotRequired[Any]
    steps: NotRequired[dict[str, Any]]


class ListedRun(TypedDict):
    """A run in a list."""

    runId: str
    workflowName: str
    resourceId: str | None
    createdAt: str
    updatedAt: str
    snapshot: dict[str, Any]


class RunList(TypedDict):
    """A page of runs."""

    runs: list[ListedRun]
    total: int
