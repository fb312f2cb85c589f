"""What queries and answers look like, for the OpenAPI document.

Answers are built as plain dictionaries; a test compares what the server sends with these.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

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
    "Message",
    "Ready",
    "ToolDetails",
)

Context = Annotated[
    str, msgspec.Meta(description="Values for agents, tools and steps: JSON, or base64 of JSON.")
]
Count = Annotated[int, msgspec.Meta(ge=0)]
Schema = Annotated[str, msgspec.Meta(description='A JSON Schema as text: `{"json": SCHEMA}`.')]
Milliseconds = Annotated[int, msgspec.Meta(description="Milliseconds since the epoch.")]


class ContextQuery(msgspec.Struct, rename="camel"):
    """Every operation takes it."""

    request_context: Context = ""


class ListQuery(ContextQuery):
    """Of lists."""

    partial: Annotated[str, msgspec.Meta(description="`true` leaves the schemas out.")] = ""


class AgentRunQuery(ContextQuery):
    """Of an agent's run."""


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

    success: bool


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
    suspendPayload: NotRequired[dict[str, Any]]
    resumeSchema: NotRequired[str]
    messages: list[dict[str, Any]]
    runId: str
