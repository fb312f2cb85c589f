"""Threads in this process; no call awaits anything, so each is atomic."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from mastra_core.errors import Conflict
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

__all__ = ("MemoryThreads", "matches_metadata")


def matches_metadata(metadata: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Return whether metadata has every expected key with the expected value.

    :param metadata: the stored metadata.
    :param expected: the expected keys and values.
    """
    return all(key in metadata and metadata[key] == value for key, value in expected.items())


class _ThreadEntry:
    """A thread with its messages, in the order in which they were added."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.messages: dict[str, StoredMessage] = {}
        self.history: History | None = None
        self.position = 0


class MemoryThreads:
    """The ``ThreadStore`` of ``MemoryStorage``.

    :param max_threads: maximum number of threads, and of notes of working memory.
    :param max_messages: maximum number of messages of one thread.
    """

    def __init__(self, max_threads: int, max_messages: int) -> None:
        self._max_threads = max_threads
        self._max_messages = max_messages
        self._threads: OrderedDict[str, _ThreadEntry] = (
            OrderedDict()
        )  # the last changed is the last
        self._thread_ids: dict[str, str] = {}  # by message id
        self._notes: OrderedDict[tuple[Scope, str], str] = OrderedDict()
        self._positions = itertools.count(1)

    async def get(self, thread_id: str) -> Thread | None:
        """Return a thread.

        :param thread_id: id of the thread.
        :returns: the thread, ``None`` where there is none.
        """
        entry = self._threads.get(thread_id)
        return entry.thread if entry else None

    async def find(self, query: ThreadQuery) -> Page[Thread]:
        """Return the threads that match a query.

        :param query: the query.
        """
        found = [
            entry.thread
            for entry in self._threads.values()
            if query.resource in (None, entry.thread.resource)
            and matches_metadata(entry.thread.metadata, query.metadata)
        ]
        found.sort(key=lambda thread: (getattr(thread, query.order_by), thread.id))
        return _build_page(found, query)

    async def create(self, thread: Thread) -> bool:
        """Store a new thread.

        :param thread: the thread.
        :returns: ``False`` where the id is taken.
        """
        if thread.id in self._threads:
            return False
        self._add_thread(thread)
        return True

    async def update(self, thread: Thread) -> bool:
        """Replace a thread; its messages stay.

        :param thread: the thread.
        :returns: ``False`` where there is no such thread.
        """
        entry = self._threads.get(thread.id)
        if entry is None:
            return False
        entry.thread = thread
        self._threads.move_to_end(thread.id)
        return True

    async def delete(self, thread_id: str) -> bool:
        """Delete a thread with its messages and notes.

        :param thread_id: id of the thread.
        :returns: ``False`` where there is no such thread.
        """
        return self._remove_thread(thread_id)

    async def append(
        self,
        thread: Thread,
        messages: Sequence[StoredMessage],
        *,
        create: bool = True,
        history: History | None = None,
        after: int = 0,
    ) -> bool:
        """Add messages at the end of a thread, in one transaction; see ``ThreadStore``.

        :param thread: the thread.
        :param messages: the messages.
        :param create: whether to create a missing thread.
        :param history: the framework's own history of the thread.
        :param after: the thread's position that the history was written for.
        :returns: ``False`` where nothing was stored.
        :raises Conflict: when another thread has a message of that id.
        """
        entry = self._threads.get(thread.id)
        if not (create if entry is None else entry.thread.resource == thread.resource):
            return False
        self._check_owner(thread.id, messages)
        entry = entry or self._add_thread(thread)
        entry.history = history if entry.position == after else None
        self._put_messages(entry, messages)
        entry.thread = msgspec.structs.replace(
            entry.thread,
            title=entry.thread.title or thread.title,
            updated_at=max(entry.thread.updated_at, thread.updated_at),
        )
        self._threads.move_to_end(thread.id)
        return True

    async def recall(self, thread_id: str, last: int) -> Recall:
        """Return a thread and its last messages.

        :param thread_id: id of the thread.
        :param last: how many messages.
        """
        entry = self._threads.get(thread_id)
        if entry is None:
            return Recall()
        newest = list(itertools.islice(reversed(entry.messages.values()), last))
        return Recall(
            thread=entry.thread,
            messages=tuple(reversed(newest)),
            history=entry.history,
            position=entry.position,
        )

    async def list_messages(self, query: MessageQuery) -> Page[StoredMessage]:
        """Return the messages of one thread that match a query.

        :param query: the query.
        """
        entry = self._threads.get(query.thread)
        messages = entry.messages.values() if entry else ()
        return _build_page(
            [message for message in messages if _matches_query(message, query)], query
        )

    async def get_surrounding(
        self, message_id: str, before: int, after: int
    ) -> tuple[StoredMessage, ...]:
        """Return a message and the messages around it in its thread, oldest first.

        :param message_id: id of the message.
        :param before: how many earlier messages.
        :param after: how many later messages.
        """
        entry = self._threads.get(self._thread_ids.get(message_id, ""))
        if entry is None:
            return ()
        index = list(entry.messages).index(message_id)
        return tuple(
            itertools.islice(entry.messages.values(), max(index - before, 0), index + after + 1)
        )

    async def get_messages(self, message_ids: Sequence[str]) -> tuple[StoredMessage, ...]:
        """Return the messages with these ids; ids that do not exist are skipped.

        :param message_ids: ids of the messages.
        """
        return tuple(
            self._threads[self._thread_ids[message_id]].messages[message_id]
            for message_id in dict.fromkeys(message_ids)
            if message_id in self._thread_ids
        )

    async def delete_messages(self, message_ids: Sequence[str]) -> int:
        """Delete messages.

        :param message_ids: ids of the messages.
        :returns: how many messages were deleted.
        """
        known_ids = [
            message_id
            for message_id in dict.fromkeys(message_ids)
            if message_id in self._thread_ids
        ]
        for message_id in known_ids:
            entry = self._threads[self._thread_ids.pop(message_id)]
            entry.history = None
            entry.position = next(self._positions)
            del entry.messages[message_id]
        return len(known_ids)

    async def get_working_memory(self, scope: Scope, owner: str) -> str:
        """Return the notes about a thread or resource.

        :param scope: ``thread`` or ``resource``.
        :param owner: id of the thread or resource.
        :returns: the notes, empty where there are none.
        """
        return self._notes.get((scope, owner), "")

    async def change_working_memory(
        self, scope: Scope, owner: str, change: Callable[[str], str]
    ) -> str:
        """Replace the notes by ``change(notes)``.

        :param scope: ``thread`` or ``resource``.
        :param owner: id of the thread or resource.
        :param change: returns the new notes for the old ones.
        :returns: the new notes.
        """
        key = (scope, owner)
        self._notes[key] = change(self._notes.get(key, ""))
        self._notes.move_to_end(key)
        while len(self._notes) > self._max_threads:
            self._notes.popitem(last=False)
        return self._notes.get(key, "")

    def _add_thread(self, thread: Thread) -> _ThreadEntry:
        entry = self._threads[thread.id] = _ThreadEntry(thread)
        while len(self._threads) > self._max_threads:
            self._remove_thread(next(iter(self._threads)))
        return entry

    def _remove_thread(self, thread_id: str) -> bool:
        entry = self._threads.pop(thread_id, None)
        self._notes.pop(("thread", thread_id), None)
        for message_id in entry.messages if entry else ():
            del self._thread_ids[message_id]
        return entry is not None

    def _put_messages(self, entry: _ThreadEntry, messages: Sequence[StoredMessage]) -> None:
        for message in messages:
            entry.messages[message.id] = message
            self._thread_ids[message.id] = message.thread
            entry.position = next(self._positions)
        excess = max(len(entry.messages) - self._max_messages, 0)
        for message_id in list(itertools.islice(entry.messages, excess)):
            del entry.messages[message_id], self._thread_ids[message_id]

    def _check_owner(self, thread_id: str, messages: Iterable[StoredMessage]) -> None:
        for message in messages:
            if self._thread_ids.get(message.id, thread_id) != thread_id:
                raise Conflict(f"Another thread has the message {message.id!r}.")


def _matches_query(message: StoredMessage, query: MessageQuery) -> bool:
    return (
        (not query.roles or message.role in query.roles)
        and (query.since is None or message.created_at >= query.since)
        and (query.until is None or message.created_at <= query.until)
        and matches_metadata(message.metadata, query.metadata)
    )


def _build_page(found: list[Any], query: ThreadQuery | MessageQuery) -> Page[Any]:
    ordered = found[::-1] if query.descending else found
    end = None if query.per_page is None else query.offset + query.per_page
    return Page(items=tuple(ordered[query.offset : end]), total=len(found))
