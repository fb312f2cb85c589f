"""Define the types of queries and responses for the OpenAPI document.

Responses are built as plain dictionaries. A test compares the server's responses with these types.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec

__all__ = (
    "AgentDetails",
    "Chunk",
    "ContextQuery",
    "Error",
    "Generated",
    "Health",
    "ListQuery",
    "ListedAgent",
    "Message",
    "Obstacle",
    "Pagination",
    "Ready",
    "StartQuery",
    "ToolDetails",
)

Context = Annotated[
    str, msgspec.Meta(description="Values for agents, tools and steps: JSON, or base64 of JSON.")
]
Count = Annotated[int, msgspec.Meta(ge=0)]
Schema = Annotated[str, msgspec.Meta(description='A JSON Schema as text: `{"json": SCHEMA}`.')]
Milliseconds = Annotated[int, msgspec.Meta(description="Milliseconds since the epoch.")]


Obstacle = Literal["draining", "database"]


class ContextQuery(msgspec.Struct, rename="camel"):
    """The query parameters that every operation has."""

    request_context: Context = ""


class StartQuery(ContextQuery):
    """The query to create a run; without ``runId``, the run gets a new id."""

    run_id: str = ""


class ListQuery(ContextQuery):
    """The query of a list of agents, tools or workflows."""

    partial: Annotated[str, msgspec.Meta(description="`true` leaves the schemas out.")] = ""


class Issue(TypedDict):
    """An invalid field of the input, and a description of what is wrong."""

    field: str
    message: str


class Error(TypedDict):
    """Why the request failed."""

    error: str
    issues: NotRequired[list[Issue]]


class Message(TypedDict):
    """A confirmation."""

    message: str


class Health(TypedDict):
    """Whether the process is alive."""

    success: bool


class RunLoad(TypedDict):
    """The durable runs that wait for a process, as measured a few seconds ago."""

    queued: int
    oldestQueued: int | None
    parked: int
    takeovers: int


class Ready(TypedDict):
    """Whether the server can answer requests.

    The field ``reason`` exists only if it cannot, and ``runs`` only if the engine is durable.
    """

    ready: bool
    reason: NotRequired[Obstacle]
    runs: NotRequired[RunLoad]


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
    """The tokens that a run used."""

    inputTokens: int
    outputTokens: int
    totalTokens: int


class Chunk(TypedDict):
    """One chunk of a stream."""

    type: str
    runId: str
    payload: NotRequired[Any]


class Response(TypedDict):
    """The messages that a run added."""

    messages: list[dict[str, Any]]


class Generated(TypedDict):
    """The result of a run of an agent, with the turns of the model in ``steps``."""

    text: str
    object: NotRequired[Any]
    finishReason: str
    usage: Usage
    totalUsage: Usage
    steps: list[dict[str, Any]]
    toolCalls: list[Chunk]
    toolResults: list[Chunk]
    response: Response
    suspendPayload: NotRequired[dict[str, Any]]
    resumeSchema: NotRequired[str]
    messages: list[dict[str, Any]]
    runId: str


class Pagination(TypedDict):
    """The position of a page in the list of all results."""

    total: int
    page: int
    perPage: int
    hasMore: bool
