"""What a place to store things must have: small, so that anybody can write another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from mastra_core.agents.suspended_runs import SuspendedRuns
from mastra_core.storage.records import (
    History,
    MessageQuery,
    Page,
    Recall,
    Scope,
    StoredMessage,
    Thread,
    ThreadQuery,
)

__all__ = ("Storage", "ThreadStore")


class ThreadStore(Protocol):
    """Threads, their messages, and working memory.

    Each call is one transaction: all of it is kept, or nothing. Messages keep the order in which
    they were appended. Whose a thread is, is for the caller to ask before.
    """

    async def get(self, thread_id: str) -> Thread | None:
        """A thread by id."""

    async def find(self, query: ThreadQuery) -> Page[Thread]:
        """Threads that fit."""

    async def create(self, thread: Thread) -> bool:
        """Keep a new thread; ``False`` where the id is taken."""

    async def update(self, thread: Thread) -> bool:
        """Replace a thread, its messages stay; ``False`` where there is none."""

    async def delete(self, thread_id: str) -> bool:
        """Remove a thread with all that belongs to it; ``False`` where there is none."""

    async def append(
        self,
        thread: Thread,
        messages: Sequence[StoredMessage],
        *,
        create: bool = True,
        history: History | None = None,
        after: int = 0,
    ) -> bool:
        """Add messages to a thread, together and at its end.

        A title is set where there is none. A message whose id the thread has already is replaced
        where it stands. ``history`` is kept only if the thread's position is still ``after``, and
        dropped with the next change of any message.

        :param create: make the thread where there is none.
        :return: ``False``, and nothing is kept, where there is no such thread, or it belongs to
            another resource.
        :raises Conflict: when another thread has a message of that id.
        """

    async def recall(self, thread_id: str, last: int) -> Recall:
        """The thread and its ``last`` messages; costs the same however long the thread is."""

    async def messages(self, query: MessageQuery) -> Page[StoredMessage]:
        """Messages of one thread that fit."""

    async def around(self, message_id: str, before: int, after: int) -> tuple[StoredMessage, ...]:
        """A message and its neighbours in its thread, oldest first; empty where there is none."""

    async def get_messages(self, message_ids: Sequence[str]) -> tuple[StoredMessage, ...]:
        """Those of these messages that there are."""

    async def delete_messages(self, message_ids: Sequence[str]) -> int:
        """Delete messages; how many there were."""

    async def get_working_memory(self, scope: Scope, owner: str) -> str:
        """What is noted of a thread or resource; empty where nothing is."""

    async def change_working_memory(
        self, scope: Scope, owner: str, change: Callable[[str], str]
    ) -> str:
        """Replace what is noted by ``change`` of it, and give that.

        Nobody else writes in between. What ``change`` raises ends it, and nothing is kept.
        """


@runtime_checkable
class Storage(Protocol):
    """A place where an application keeps what outlives a run."""

    @property
    def single_process(self) -> bool:
        """What is kept is known only to this process."""

    @property
    def threads(self) -> ThreadStore:
        """Conversations."""

    @property
    def suspended_runs(self) -> SuspendedRuns:
        """Agent runs that wait for somebody."""

    async def open(self) -> None:
        """Be ready; whatever is wrong with the place is known then.

        :raises StorageError: when it cannot be used.
        """

    async def close(self) -> None:
        """Let go of files and connections; the next call opens them again."""
