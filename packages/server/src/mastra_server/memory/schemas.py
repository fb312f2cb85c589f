"""Define the types of memory queries, bodies and responses."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec

from mastra_server.http.request_body import MAX_ITEMS, Id, MaybeId
from mastra_server.http.schemas import ContextQuery, Count

__all__ = (
    "CloneBody",
    "Cloned",
    "ConfigAnswer",
    "CreateThreadBody",
    "DeleteMessagesBody",
    "Deleted",
    "MemoryQuery",
    "MessageList",
    "MessageListQuery",
    "Noted",
    "NotesBody",
    "OwnerQuery",
    "SaveBody",
    "Saved",
    "SearchQuery",
    "Status",
    "ThreadAnswer",
    "ThreadList",
    "ThreadListQuery",
    "TransferBody",
    "UpdateThreadBody",
    "WorkingMemoryAnswer",
)

Json = Annotated[str, msgspec.Meta(description="A JSON object.")]
Page = Annotated[str, msgspec.Meta(description="From 0.")]
PerPage = Annotated[str, msgspec.Meta(description="Size of a page; `false` returns everything.")]
Order = Annotated[str, msgspec.Meta(description='`{"field": "createdAt", "direction": "DESC"}`.')]


class MemoryQuery(ContextQuery):
    """The agent whose memory is used; without an agent, the application's memory."""

    agent_id: str = ""


class OwnerQuery(MemoryQuery):
    """The resource whose data is requested; the server refuses data of other resources."""

    resource_id: str = ""


class SearchQuery(OwnerQuery):
    """The thread to search, and the largest number of results."""

    search_query: str = ""
    thread_id: str = ""
    limit: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 20


class ThreadListQuery(OwnerQuery):
    """The filter, the order and the page of a list of threads."""

    metadata: Json = ""
    page: Page = ""
    per_page: PerPage = ""
    order_by: Order = ""


class MessageListQuery(OwnerQuery):
    """The filter, the order and the page of a list of messages."""

    page: Page = ""
    per_page: PerPage = ""
    order_by: Order = ""
    filter: Annotated[
        str,
        msgspec.Meta(
            description='`{"dateRange": {"start", "end"}, "roles": [...], "metadata": {...}}`.'
        ),
    ] = ""
    include: Annotated[
        str,
        msgspec.Meta(
            description='`[{"id", "withPreviousMessages", "withNextMessages"}]`: messages to '
            "return in addition to the page."
        ),
    ] = ""


class CreateThreadBody(msgspec.Struct, rename="camel"):
    """A new thread."""

    resource_id: Id
    thread_id: MaybeId = None
    title: str | None = None
    metadata: dict[str, Any] | None = None


class UpdateThreadBody(msgspec.Struct, rename="camel"):
    """The changes to a thread. New metadata replaces all old metadata."""

    title: str | None = None
    metadata: dict[str, Any] | None = None
    resource_id: MaybeId = None


class TransferBody(msgspec.Struct, rename="camel"):
    """The resource that becomes the new owner of a thread."""

    resource_id: Id


_MessageIds = Annotated[list[str | dict[str, Any]], msgspec.Meta(max_length=MAX_ITEMS)]


class SaveBody(msgspec.Struct):
    """Messages, each with ``role``, ``content``, ``threadId`` and ``resourceId``."""

    messages: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=MAX_ITEMS)]


class DeleteMessagesBody(msgspec.Struct, rename="camel"):
    """One id or several; each is a string or an object ``{"id": ...}``."""

    message_ids: str | dict[str, Any] | _MessageIds


class _Filter(msgspec.Struct, rename="camel"):
    start_date: str | None = None
    end_date: str | None = None
    message_ids: Annotated[list[str], msgspec.Meta(max_length=MAX_ITEMS)] | None = None


class _CloneOptions(msgspec.Struct, rename="camel"):
    message_limit: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    message_filter: _Filter | None = None


class CloneBody(msgspec.Struct, rename="camel"):
    """The new thread, and the messages to copy."""

    new_thread_id: MaybeId = None
    resource_id: MaybeId = None
    title: str | None = None
    metadata: dict[str, Any] | None = None
    options: _CloneOptions | None = None


class NotesBody(msgspec.Struct, rename="camel"):
    """The new working memory."""

    working_memory: str
    resource_id: MaybeId = None


class Status(TypedDict):
    """Whether the agent has a memory."""

    result: bool
    memoryType: NotRequired[Literal["local"]]


class ConfigAnswer(TypedDict):
    """The configuration of the memory; ``null`` if the agent has no memory."""

    config: dict[str, Any] | None


class ThreadAnswer(TypedDict):
    """A thread."""

    id: str
    resourceId: str
    title: str
    metadata: dict[str, Any]
    createdAt: str
    updatedAt: str


class _Paged(TypedDict):
    total: Count
    page: Count
    perPage: Count | bool
    hasMore: bool


class ThreadList(_Paged):
    """A page of threads."""

    threads: list[ThreadAnswer]


class MessageList(_Paged):
    """A page of messages."""

    messages: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=MAX_ITEMS)]
    uiMessages: None


class Saved(TypedDict):
    """The messages that were saved."""

    messages: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=MAX_ITEMS)]


class Deleted(TypedDict):
    """A confirmation of the deletion."""

    result: str


class Noted(TypedDict):
    """A confirmation."""

    success: Literal[True]
    message: NotRequired[str]


class Cloned(TypedDict):
    """The copied thread, its messages, and a mapping of old message ids to new ids."""

    thread: ThreadAnswer
    clonedMessages: list[dict[str, Any]]
    messageIdMap: dict[str, str]


class WorkingMemoryAnswer(TypedDict):
    """The working memory and its template."""

    workingMemory: str | None
    source: Literal["thread", "resource"]
    workingMemoryTemplate: dict[str, str] | None
    threadExists: bool
