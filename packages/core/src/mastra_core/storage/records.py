"""What is stored of conversations, and how it is asked for."""

from __future__ import annotations

import time
from typing import Any, Generic, Literal, TypeVar

import msgspec

from mastra_core.agents.messages import Part

__all__ = (
    "History",
    "MessageQuery",
    "Page",
    "Recall",
    "Scope",
    "StoredMessage",
    "Thread",
    "ThreadQuery",
    "now",
)

T = TypeVar("T")
Scope = Literal["thread", "resource"]


def now() -> int:
    """Milliseconds since the epoch, the unit of every moment that is stored."""
    return time.time_ns() // 1_000_000


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Thread(_Record, frozen=True, kw_only=True):
    """One conversation.

    :param resource: whose it is: a user, a customer, a project.
    """

    id: str
    resource: str
    title: str = ""
    metadata: dict[str, Any] = {}
    created_at: int = msgspec.field(default_factory=now)
    updated_at: int = msgspec.field(default_factory=now)


class StoredMessage(_Record, frozen=True, kw_only=True):
    """One message of a thread: what a person said, or all that an agent did in one run.

    :param parts: an agent's in the order of the run, results of tools beside their calls.
    :param content: word for word what a client saved, where ``parts`` cannot say all of it.
    """

    id: str
    thread: str
    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...] = ()
    created_at: int = msgspec.field(default_factory=now)
    metadata: dict[str, Any] = {}
    content: Any = None


class History(_Record, frozen=True, kw_only=True):
    """The messages of a thread as the framework of one agent serialises them.

    :param agent: who wrote it; only the same can read it.
    :param messages: how many stored messages it stands for.
    """

    agent: str
    data: bytes
    messages: int


class Recall(_Record, frozen=True, kw_only=True):
    """What a run needs to know of its thread, read at one moment.

    :param thread: ``None`` where there is none yet.
    :param messages: the last ones, oldest first.
    :param history: only if nothing was written since it was.
    :param position: changes with every message that is appended; see ``ThreadStore.append``.
    """

    thread: Thread | None = None
    messages: tuple[StoredMessage, ...] = ()
    history: History | None = None
    position: int = 0


class _Paged(_Record, frozen=True, kw_only=True):
    page: int = 0
    per_page: int | None = None

    @property
    def offset(self) -> int:
        """How many come before the page."""
        return self.page * (self.per_page or 0)


class ThreadQuery(_Paged, frozen=True, kw_only=True):
    """Which threads, in what order.

    :param resource: whose; everybody's where ``None``.
    :param metadata: keys that must have exactly these values.
    :param page: from 0.
    :param per_page: all of them where ``None``.
    """

    resource: str | None = None
    metadata: dict[str, Any] = {}
    order_by: Literal["created_at", "updated_at"] = "updated_at"
    descending: bool = True


class MessageQuery(_Paged, frozen=True, kw_only=True):
    """Which messages of a thread, oldest first unless ``descending``.

    :param roles: any where empty.
    :param since: milliseconds since the epoch, inclusive; likewise ``until``.
    :param metadata: keys that must have exactly these values.
    """

    thread: str
    roles: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    metadata: dict[str, Any] = {}
    descending: bool = False


class Page(_Record, Generic[T], frozen=True, kw_only=True):
    """Some of what was found, and how much that was."""

    items: tuple[T, ...] = ()
    total: int = 0
