"""The protocols of a storage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

from mastra_core.agents.suspended_runs import SuspendedRuns
from mastra_core.storage.records import (
    MAX_RECALL_BYTES,
    History,
    MessageQuery,
    Page,
    Recall,
    Scope,
    StoredMessage,
    Thread,
    ThreadQuery,
)

__all__ = ("RecordStore", "Storage", "ThreadStore")


class ThreadStore(Protocol):
    """A store for threads, their messages, and working memory.

    Each call is one transaction: it stores everything or nothing. Messages keep the order in which
    they were added. A call with a ``resource`` has no effect on threads of other resources. The
    store checks the owner in the transaction of the change, because another caller may delete and
    create the thread at any time. Characters that UTF-8 cannot encode are stored as U+FFFD. An id
    with such a character is refused with ``InvalidInput``, because U+FFFD could make two different
    ids equal.
    """

    async def get(self, thread_id: str) -> Thread | None:
        """Return a thread.

        :param thread_id: id of the thread.
        :returns: the thread, ``None`` if there is none.
        """

    async def find(self, query: ThreadQuery) -> Page[Thread]:
        """Return the threads that match a query.

        :param query: the query.
        """

    async def create(self, thread: Thread, messages: Sequence[StoredMessage] = ()) -> bool:
        """Store a new thread and its first messages, in one transaction.

        :param thread: the thread.
        :param messages: the messages.
        :returns: ``False`` if nothing was stored, because the id is taken.
        :raises Conflict: when another thread has a message of that id.
        """

    async def update(
        self,
        thread: Thread,
        resource: str | None = None,
        *,
        fields: Collection[str] | None = None,
    ) -> bool:
        """Replace the data of a thread, and keep its messages.

        :param thread: the thread.
        :param resource: the owner that the stored thread must have; ``None`` for any.
        :param fields: names of the fields to replace; ``None`` for all. The names are ``resource``,
            ``title``, ``metadata``, ``created_at`` and ``updated_at``; at least one is required.
            Other callers may change the remaining fields at the same time.
        :returns: ``False`` if there is no such thread.
        """

    async def delete(self, thread_id: str, resource: str | None = None) -> bool:
        """Delete a thread with its messages and notes.

        :param thread_id: id of the thread.
        :param resource: the owner that the thread must have; ``None`` for any.
        :returns: ``False`` if there is no such thread.
        """

    async def append(
        self,
        thread: Thread,
        messages: Sequence[StoredMessage],
        *,
        create: bool = True,
        history: History | None = None,
        after: int = 0,
    ) -> bool:
        """Add messages at the end of a thread, in one transaction.

        If the stored thread has no title, the title of ``thread`` is set. A message replaces an
        earlier message with the same id, even one from the same call, and takes its position.
        ``history`` is stored only if the thread's position still equals ``after``. When any message
        changes later, the store deletes the history.

        :param thread: the thread.
        :param messages: the messages.
        :param create: whether to create a missing thread.
        :param history: the history of the thread in the format of the agent's framework.
        :param after: the position of the thread when ``history`` was written.
        :returns: ``False`` if nothing was stored, because there is no such thread or it belongs
            to another resource.
        :raises Conflict: when another thread has a message with the same id.
        """

    async def recall(
        self, thread_id: str, last: int, *, max_bytes: int = MAX_RECALL_BYTES
    ) -> Recall:
        """Return a thread and its last messages, as fast for a long thread as for a short one.

        :param thread_id: id of the thread.
        :param last: maximum number of messages.
        :param max_bytes: maximum size of the messages in memory, estimated in bytes. Messages
            beyond this size are omitted, the oldest first. The newest message is returned even if
            it is larger.
        """

    async def list_messages(self, query: MessageQuery) -> Page[StoredMessage]:
        """Return the messages of one thread that match a query.

        :param query: the query.
        """

    async def get_surrounding(
        self, message_id: str, before: int, after: int, *, max_bytes: int = MAX_RECALL_BYTES
    ) -> tuple[StoredMessage, ...]:
        """Return a message and the messages around it, oldest first.

        :param message_id: id of the message.
        :param before: maximum number of earlier messages.
        :param after: maximum number of later messages.
        :param max_bytes: maximum size of the messages in memory, estimated in bytes.
        :returns: the messages, empty if there is no such message.
        :raises InvalidInput: when the messages are larger than ``max_bytes``.
        """

    async def get_messages(self, message_ids: Sequence[str]) -> tuple[StoredMessage, ...]:
        """Return the messages with these ids, and skip unknown ids.

        :param message_ids: ids of the messages.
        """

    async def delete_messages(self, message_ids: Sequence[str], resource: str | None = None) -> int:
        """Delete messages, except messages that belong to other resources.

        :param message_ids: ids of the messages.
        :param resource: the owner that the threads of the messages must have; ``None`` for any.
        :returns: the number of deleted messages.
        """

    async def get_working_memory(
        self, scope: Scope, owner: str, resource: str | None = None
    ) -> str:
        """Return the notes about a thread or resource.

        A run writes notes before its thread is created. Until the thread is created, the notes
        belong to the resource of the run. If another resource creates the thread, the notes are
        deleted.

        :param scope: ``thread`` or ``resource``.
        :param owner: id of the thread or resource.
        :param resource: the owner that the thread, or its notes, must have; ``None`` for any.
        :returns: the notes, empty if there are none.
        """

    async def change_working_memory(
        self,
        scope: Scope,
        owner: str,
        change: Callable[[str], str],
        resource: str | None = None,
    ) -> str:
        """Replace the notes with ``change(notes)``, in one transaction.

        If ``change`` raises an exception, nothing is stored. A store that cannot call ``change``
        within a transaction compares the stored notes when it writes, and calls ``change`` again if
        the notes have changed.

        :param scope: ``thread`` or ``resource``.
        :param owner: id of the thread or resource.
        :param change: returns the new notes for the old ones.
        :param resource: the owner that an existing thread must have, and the caller whose limits
            apply to the notes; ``None`` for any owner.
        :returns: the new notes.
        :raises Conflict: when other callers change the notes during every attempt.
        :raises Forbidden: when the thread, or its notes, belong to another resource.
        """


class RecordStore(Protocol):
    """A store for records that expire, such as the responses of the Responses API.

    Each caller has a maximum number of records; beyond it, the caller's oldest records are removed.
    A call with an id that UTF-8 cannot encode raises ``InvalidInput``.
    """

    async def put(self, record_id: str, owner: str, caller: str, data: bytes) -> None:
        """Store a record with a new id.

        :param record_id: the id.
        :param owner: the owner, who alone may read the record.
        :param caller: the caller whose limits apply to the record.
        :param data: the record.
        :raises InvalidInput: when the record is too large for the store.
        :raises StorageError: when the store cannot be used.
        """

    async def get(self, record_id: str, owner: str) -> bytes | None:
        """Return a record; ``None`` if this owner has no such record.

        :param record_id: the id.
        :param owner: the owner.
        :raises StorageError: when the store cannot be used.
        """

    async def delete(self, record_id: str, owner: str) -> bool:
        """Delete a record of an owner, and return whether the record existed.

        :param record_id: the id.
        :param owner: the owner.
        :raises StorageError: when the store cannot be used.
        """


@runtime_checkable
class Storage(Protocol):
    """Stores the data of an application that must outlive a single run."""

    @property
    def single_process(self) -> bool:
        """Whether only this process knows the stored data."""

    @property
    def threads(self) -> ThreadStore:
        """Threads, messages and working memory."""

    @property
    def suspended_runs(self) -> SuspendedRuns:
        """Suspended runs of agents."""

    async def open(self) -> None:
        """Open the storage, so that a problem is reported at start-up.

        :raises StorageError: when the storage cannot be used.
        """

    async def close(self) -> None:
        """Close files and connections; the next call opens them again."""
