"""The stored records of conversations, and queries for these records."""

from __future__ import annotations

import time
from typing import Any, Generic, Literal, TypeVar

import msgspec

from mastra_core.agents.messages import Part
from mastra_core.errors import Forbidden, InvalidInput
from mastra_core.limits.page_size import check_page

__all__ = (
    "MAX_RECALL_BYTES",
    "History",
    "MessageQuery",
    "Page",
    "Recall",
    "Scope",
    "StoredMessage",
    "Thread",
    "ThreadQuery",
    "build_owner_error",
    "now",
)

T = TypeVar("T")
MAX_RECALL_BYTES = 33_554_432  # of the stored messages that one run receives, estimated
Scope = Literal["thread", "resource"]


def build_owner_error(thread_id: str) -> Forbidden:
    """Build the error for a thread of another resource.

    :param thread_id: id of the thread.
    """
    return Forbidden(
        f"The thread {thread_id!r} belongs to another resource.",
        "Use a thread of this resource, or a new id.",
    )


def now() -> int:
    """Return the current time in milliseconds since the epoch, the unit of stored times."""
    return time.time_ns() // 1_000_000


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Thread(_Record, frozen=True, kw_only=True):
    """One conversation.

    :param id: id of the thread.
    :param resource: owner of the thread: a user, a customer, a project.
    :param title: title of the thread, empty if there is none.
    :param metadata: metadata of the application, JSON builtins.
    :param created_at: time of creation, milliseconds since the epoch.
    :param updated_at: time of the last change, milliseconds since the epoch.
    :param caller: the caller whose limits apply to a new thread; if empty, the resource. A storage
        need not store ``caller``.
    """

    id: str
    resource: str
    title: str = ""
    metadata: dict[str, Any] = {}
    created_at: int = msgspec.field(default_factory=now)
    updated_at: int = msgspec.field(default_factory=now)
    caller: str = ""


class StoredMessage(_Record, frozen=True, kw_only=True):
    """One message of a thread: a user's message, or everything that an agent did in one run.

    :param id: id of the message.
    :param thread: id of the thread.
    :param role: ``system``, ``user``, ``assistant`` or ``tool``.
    :param parts: the content. An agent's parts are in the order of the run; each tool result is
        next to its call.
    :param created_at: time of creation, milliseconds since the epoch.
    :param metadata: metadata of the application, JSON builtins.
    :param content: the exact content that a client saved; ``None`` if ``parts`` express all of it.
    """

    id: str
    thread: str
    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...] = ()
    created_at: int = msgspec.field(default_factory=now)
    metadata: dict[str, Any] = {}
    content: Any = None


class History(_Record, frozen=True, kw_only=True):
    """The messages of a thread, in the format of one agent's framework.

    :param agent: id of the agent that wrote the messages; no other agent can read them.
    :param data: the serialised messages.
    :param messages: number of stored messages that the history covers.
    """

    agent: str
    data: bytes
    messages: int


class Recall(_Record, frozen=True, kw_only=True):
    """The data of a thread that an agent run needs, read in one transaction.

    :param thread: the thread, ``None`` if there is none yet.
    :param messages: the last messages, oldest first.
    :param history: the history in the format of the agent's framework; ``None`` if the history
        lacks the latest message.
    :param position: a number that grows with each change of a message; see ``ThreadStore.append``.
    """

    thread: Thread | None = None
    messages: tuple[StoredMessage, ...] = ()
    history: History | None = None
    position: int = 0


class _PageQuery(_Record, frozen=True, kw_only=True):
    page: int = 0
    per_page: int | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        check_page(self, _PageQuery.__annotations__, type(self).__annotations__)

    @property
    def offset(self) -> int:
        """The number of records before the page."""
        return self.page * (self.per_page or 0)


class ThreadQuery(_PageQuery, frozen=True, kw_only=True):
    """A query for threads, with their order.

    :param page: number of the page, from 0.
    :param per_page: records in a page; ``None`` for all.
    :param max_bytes: maximum size of a page in memory, estimated in bytes, or ``None`` for no
        maximum; a larger page is refused with ``InvalidInput``.
    :param resource: owner of the threads; ``None`` for any.
    :param metadata: keys that must have exactly these values.
    :param order_by: ``created_at`` or ``updated_at``.
    :param descending: whether the newest record is first.
    :raises InvalidInput: for a value of the wrong type, or a negative number.
    """

    resource: str | None = None
    metadata: dict[str, Any] = {}
    order_by: Literal["created_at", "updated_at"] = "updated_at"
    descending: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order_by not in ("created_at", "updated_at"):
            raise InvalidInput(
                f"Threads cannot be ordered by {self.order_by!r}.", "Use created_at or updated_at."
            )


class MessageQuery(_PageQuery, frozen=True, kw_only=True):
    """A query for messages of a thread, with their order.

    :param page: number of the page, from 0.
    :param per_page: records in a page; ``None`` for all.
    :param max_bytes: maximum size of a page in memory, estimated in bytes, or ``None`` for no
        maximum; a larger page is refused with ``InvalidInput``.
    :param thread: id of the thread.
    :param resource: the owner that the thread must have; ``None`` for any.
    :param roles: roles of the messages; empty for any.
    :param since: earliest time, milliseconds since the epoch, inclusive.
    :param until: latest time, milliseconds since the epoch, inclusive.
    :param metadata: keys that must have exactly these values.
    :param descending: whether the newest record is first.
    :raises InvalidInput: for a value of the wrong type, or a negative number.
    """

    thread: str
    resource: str | None = None
    roles: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    metadata: dict[str, Any] = {}
    descending: bool = False


class Page(_Record, Generic[T], frozen=True, kw_only=True):
    """One page of the records that match a query.

    :param items: the records of the page.
    :param total: the number of all records that match the query.
    """

    items: tuple[T, ...] = ()
    total: int = 0
