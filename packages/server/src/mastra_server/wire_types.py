"""What queries and answers look like, for the OpenAPI document.

Answers are built as plain dictionaries; a test compares what the server sends with these.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec

__all__ = (
    "AgentDetails",
    "AgentRunQuery",
    "Chunk",
    "ContextQuery",
    "Error",
    "Generated",
    "Health",
    "ListQuery",
    "ListedAgent",
    "ListedRun",
    "Message",
    "ObserveQuery",
    "Ready",
    "RunCounts",
    "RunCreated",
    "RunDetails",
    "RunFieldsQuery",
    "RunIdQuery",
    "RunList",
    "RunListQuery",
    "StartQuery",
    "ToolDetails",
    "WorkflowDetails",
    "WorkflowResult",
)

Context = Annotated[
    str, msgspec.Meta(description="Values for agents, tools and steps: JSON, or base64 of JSON.")
]
Count = Annotated[int, msgspec.Meta(ge=0)]
Schema = Annotated[str, msgspec.Meta(description='A JSON Schema as text: `{"json": SCHEMA}`.')]
Milliseconds = Annotated[int, msgspec.Meta(description="Milliseconds since the epoch.")]
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


class ContextQuery(msgspec.Struct, rename="camel"):
    """Every operation takes it."""

    request_context: Context = ""


class ListQuery(ContextQuery):
    """Of lists."""

    partial: Annotated[str, msgspec.Meta(description="`true` leaves the schemas out.")] = ""


class AgentRunQuery(ContextQuery):
    """Of an agent's run."""


class StartQuery(ContextQuery):
    """Of what makes a run where none is named."""

    run_id: str = ""


class RunIdQuery(ContextQuery, kw_only=True):
    """Of one run."""

    run_id: Annotated[str, msgspec.Meta(min_length=1)]


class ObserveQuery(RunIdQuery, kw_only=True):
    """Which run to watch, and from where."""

    offset: Annotated[int, msgspec.Meta(ge=0, description="Pieces of its stream to skip.")] = 0


class RunFieldsQuery(ContextQuery):
    """What to show of a run."""

    with_nested_workflows: Annotated[
        str, msgspec.Meta(description="`false` leaves the steps of nested workflows out.")
    ] = ""

    fields: Annotated[str, msgspec.Meta(description="Some of them, with commas.")] = ""


class RunListQuery(ContextQuery):
    """Which runs."""

    page: Count = 0
    per_page: Count = 100
    limit: Count = 100
    offset: Count = 0
    status: Status = "success"
    resource_id: str = ""
    from_date: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})] = ""
    to_date: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})] = ""


class Issue(TypedDict):
    """What does not fit, and where."""

    field: str
    message: str


class Error(TypedDict):
    """What went wrong."""

    error: str
    issues: NotRequired[list[Issue]]


class Message(TypedDict):
    """That it was done."""

    message: str


class Health(TypedDict):
    """The process lives."""

    success: Literal[True]


class Ready(TypedDict):
    """Whether it takes requests."""

    ready: bool


class ToolDetails(TypedDict):
    """A tool."""

    id: str
    description: str
    inputSchema: NotRequired[Schema]
    outputSchema: NotRequired[Schema]
    requireApproval: bool


class AgentDetails(TypedDict):
    """An agent."""

    name: str
    description: str
    instructions: Any
    tools: dict[str, ToolDetails]
    workflows: dict[str, Any]
    provider: str
    modelId: str
    supportsMemory: NotRequired[bool]


class ListedAgent(AgentDetails):
    """An agent in a list."""

    id: str


class Usage(TypedDict):
    """Tokens."""

    inputTokens: int
    outputTokens: int
    totalTokens: int


class Chunk(TypedDict):
    """One piece of a stream."""

    type: str
    runId: str
    payload: NotRequired[Any]


class Response(TypedDict):
    """The messages that a run added."""

    messages: list[dict[str, Any]]


class Generated(TypedDict):
    """A whole run of an agent."""

    text: str
    object: NotRequired[Any]
    finishReason: str
    usage: Usage
    totalUsage: Usage
    steps: list[dict[str, Any]]
    toolCalls: list[Chunk]
    toolResults: list[Chunk]
    response: Response
    messages: list[dict[str, Any]]
    runId: str


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
    description: str
    steps: dict[str, StepDetails]
    stepGraph: list[dict[str, Any]]
    inputSchema: NotRequired[Schema]
    outputSchema: NotRequired[Schema]
    stepCount: NotRequired[int]


class RunCounts(TypedDict):
    """How many runs of a workflow have not ended."""

    running: int
    suspended: int


class RunCreated(TypedDict):
    """A run."""

    runId: str


class RunFailure(TypedDict):
    """Why a run failed."""

    message: str
    name: str


class WorkflowResult(TypedDict):
    """A run that has ended, or waits."""

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
    """A run as it stands."""

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
