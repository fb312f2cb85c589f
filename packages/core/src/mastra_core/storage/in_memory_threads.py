"""Store threads in this process; no method awaits anything, so each call is atomic."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from mastra_core.database.encodable_text import check_encodable
from mastra_core.errors import Conflict, StorageError
from mastra_core.json_repair import repair_text
from mastra_core.limits.caller_cache import CallerCache
from mastra_core.limits.memory_size import estimate_size
from mastra_core.limits.page_size import PageSize
from mastra_core.override import override
from mastra_core.schema import repair_struct
from mastra_core.storage.protocol import ThreadStore
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
    build_owner_error,
)

__all__ = ("MemoryThreads", "matches_metadata")

_THREAD_SIZE = 1024  # bytes of a thread without messages


def matches_metadata(metadata: Mapping[str, Any], criteria: Mapping[str, Any]) -> bool:
    """Return whether metadata contains all expected keys and values.

    :param metadata: the stored metadata.
    :param criteria: the expected keys and values.
    """
    return all(key in metadata and metadata[key] == value for key, value in criteria.items())


class _Notes(NamedTuple):
    """Working memory, and the resource that has written it."""

    text: str
    resource: str


class _ThreadEntry:
    """A thread and its messages, oldest first."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        # A plain dict finds its first key slowly after many removals.
        self.messages: OrderedDict[str, StoredMessage] = OrderedDict()
        self.history: History | None = None
        self.position = 0
        self._size = _THREAD_SIZE  # without title and metadata
        self._sizes: dict[str, int] = {}

    @property
    def size(self) -> int:
        """The estimated memory of the thread, in bytes."""
        history = len(self.history.data) if self.history else 0
        return self._size + history + estimate_size(self.thread)

    def put_message(self, message: StoredMessage) -> None:
        """Add a message at the end, or replace the message with the same id.

        :param message: the message.
        """
        size = estimate_size(message)
        self._size += size - self._sizes.get(message.id, 0)
        self._sizes[message.id] = size
        self.messages[message.id] = message

    def get_message_size(self, message_id: str) -> int:
        """Return the estimated memory of a message, in bytes.

        :param message_id: id of the message.
        """
        return self._sizes[message_id]

    def get_newest_messages(self, last: int, max_bytes: int) -> list[StoredMessage]:
        """Return the newest messages that one run may receive, newest first.

        :param last: maximum number of messages.
        :param max_bytes: maximum size of the messages; the newest one is returned even if it is
            larger.
        """
        newest: list[StoredMessage] = []
        size = 0
        for message in itertools.islice(reversed(self.messages.values()), last):
            size += self._sizes[message.id]
            if newest and size > max_bytes:
                break
            newest.append(message)
        return newest

    def remove_message(self, message_id: str) -> None:
        """Remove a message.

        :param message_id: id of the message.
        """
        del self.messages[message_id]
        self._size -= self._sizes.pop(message_id)


class MemoryThreads(ThreadStore):
    """The thread store of ``MemoryStorage``.

    :param max_threads: maximum number of threads; the same maximum applies to the notes of working
        memory.
    :param max_messages: maximum number of messages of one thread.
    :param max_bytes: maximum size of all threads, and of all notes. A single thread takes at most a
        quarter of this size; the thread's oldest messages are removed first.
    """

    def __init__(self, max_threads: int, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_thread_bytes = max_bytes // 4
        self._threads: CallerCache[str, _ThreadEntry] = (
            CallerCache(  # in the order of the last change
                max_threads, max_bytes, on_remove=self._forget_thread
            )
        )
        self._thread_ids: dict[str, str] = {}  # by message id
        self._notes: CallerCache[tuple[Scope, str], _Notes] = CallerCache(max_threads, max_bytes)
        self._positions = itertools.count(1)

    @override
    async def get(self, thread_id: str) -> Thread | None:
        check_encodable(thread_id)
        entry = self._threads.get(thread_id)
        return entry.thread if entry else None

    @override
    async def find(self, query: ThreadQuery) -> Page[Thread]:
        check_encodable(query.resource)
        query = repair_struct(query)
        found = [
            entry.thread
            for entry in self._threads
            if query.resource in (None, entry.thread.resource)
            and matches_metadata(entry.thread.metadata, query.metadata)
        ]
        found.sort(key=lambda thread: (getattr(thread, query.order_by), thread.id))
        return _build_page(found, query)

    @override
    async def create(self, thread: Thread, messages: Sequence[StoredMessage] = ()) -> bool:
        thread, messages = _repair_records(thread, messages)
        if self._threads.get(thread.id) is not None:
            return False
        self._check_owner(thread.id, messages)
        self._delete_other_notes(thread)
        entry = _ThreadEntry(thread)
        self._put_messages(entry, messages)
        self._put_thread(entry)
        return True

    @override
    async def update(
        self,
        thread: Thread,
        resource: str | None = None,
        *,
        fields: Collection[str] | None = None,
    ) -> bool:
        check_encodable(resource)
        thread, _ = _repair_records(thread)
        entry = self._threads.get(thread.id)
        if entry is None or resource not in (None, entry.thread.resource):
            return False
        if fields is not None:
            changes = {name: getattr(thread, name) for name in fields}
            thread = msgspec.structs.replace(entry.thread, **changes)
        entry.thread = thread
        self._put_thread(entry)
        return True

    @override
    async def delete(self, thread_id: str, resource: str | None = None) -> bool:
        check_encodable(thread_id, resource)
        entry = self._threads.get(thread_id)
        if entry is None or resource not in (None, entry.thread.resource):
            return False
        self._threads.pop(thread_id)
        self._forget_thread(entry)
        return True

    @override
    async def append(
        self,
        thread: Thread,
        messages: Sequence[StoredMessage],
        *,
        create: bool = True,
        history: History | None = None,
        after: int = 0,
    ) -> bool:
        check_encodable(history.agent if history else None)
        thread, messages = _repair_records(thread, messages)
        entry = self._threads.get(thread.id)
        if not (create if entry is None else entry.thread.resource == thread.resource):
            return False
        self._check_owner(thread.id, messages)
        if entry is None:
            self._delete_other_notes(thread)
            entry = _ThreadEntry(thread)
        entry.history = history if entry.position == after else None
        self._put_messages(entry, messages)
        entry.thread = msgspec.structs.replace(
            entry.thread,
            title=entry.thread.title or thread.title,
            updated_at=max(entry.thread.updated_at, thread.updated_at),
        )
        self._put_thread(entry)
        return True

    @override
    async def recall(
        self, thread_id: str, last: int, *, max_bytes: int = MAX_RECALL_BYTES
    ) -> Recall:
        check_encodable(thread_id)
        entry = self._threads.get(thread_id)
        if entry is None:
            return Recall()
        newest = entry.get_newest_messages(last, max_bytes)
        return Recall(
            thread=entry.thread,
            messages=tuple(reversed(newest)),
            history=entry.history,
            position=entry.position,
        )

    @override
    async def list_messages(self, query: MessageQuery) -> Page[StoredMessage]:
        check_encodable(query.thread, query.resource, *query.roles)
        query = repair_struct(query)
        entry = self._threads.get(query.thread)
        if entry is None:
            return Page()
        if query.resource not in (None, entry.thread.resource):
            return Page()
        found = [each for each in entry.messages.values() if _matches_query(each, query)]
        page = _build_page(found, query)
        size = PageSize(query.max_bytes)
        for message in page.items:
            size.add(entry.get_message_size(message.id))
        return page

    @override
    async def get_surrounding(
        self, message_id: str, before: int, after: int, *, max_bytes: int = MAX_RECALL_BYTES
    ) -> tuple[StoredMessage, ...]:
        check_encodable(message_id)
        entry = self._find_thread_of(message_id)
        if entry is None:
            return ()
        index = list(entry.messages).index(message_id)
        messages = itertools.islice(
            entry.messages.values(), max(index - before, 0), index + after + 1
        )
        size, found = PageSize(max_bytes), []
        for message in messages:
            size.add(entry.get_message_size(message.id))
            found.append(message)
        return tuple(found)

    @override
    async def get_messages(self, message_ids: Sequence[str]) -> tuple[StoredMessage, ...]:
        check_encodable(*message_ids)
        entries = ((each, self._find_thread_of(each)) for each in dict.fromkeys(message_ids))
        return tuple(entry.messages[message_id] for message_id, entry in entries if entry)

    @override
    async def delete_messages(self, message_ids: Sequence[str], resource: str | None = None) -> int:
        check_encodable(*message_ids, resource)
        number = 0
        for message_id in dict.fromkeys(message_ids):
            entry = self._find_thread_of(message_id)
            if entry is not None and resource in (None, entry.thread.resource):
                number += 1
                entry.history = None
                entry.position = next(self._positions)
                entry.remove_message(message_id)
                del self._thread_ids[message_id]
        return number

    @override
    async def get_working_memory(
        self, scope: Scope, owner: str, resource: str | None = None
    ) -> str:
        check_encodable(owner, resource)
        if resource not in (None, self._get_owner(scope, owner, resource)):
            return ""
        notes = self._notes.get((scope, owner))
        return notes.text if notes else ""

    @override
    async def change_working_memory(
        self,
        scope: Scope,
        owner: str,
        change: Callable[[str], str],
        resource: str | None = None,
    ) -> str:
        check_encodable(owner, resource)
        caller = self._get_owner(scope, owner, resource)
        if resource not in (None, caller):
            raise build_owner_error(owner)
        key, notes = (scope, owner), self._notes.get((scope, owner))
        text = repair_text(change(notes.text if notes else ""))
        self._notes.put(key, _Notes(text, caller), caller, estimate_size(text))
        if self._notes.get(key) is None:
            raise StorageError(
                f"The working memory of {owner!r} is too large for the in-memory storage.",
                "Shorten the working memory, or raise max_bytes of MemoryStorage.",
            )
        return text

    def _get_owner(self, scope: Scope, owner: str, resource: str | None) -> str:
        """Return the resource that owns the notes, and whose limits apply to them."""
        if scope == "resource":
            return owner
        entry = self._threads.get(owner)
        if entry is not None:
            return entry.thread.resource
        notes = self._notes.get((scope, owner))
        return (notes.resource if notes else "") or resource or ""

    def _delete_other_notes(self, thread: Thread) -> None:
        """Delete notes that another resource wrote before the thread was created."""
        notes = self._notes.get(("thread", thread.id))
        if notes is not None and notes.resource not in ("", thread.resource):
            self._notes.pop(("thread", thread.id))

    def _put_thread(self, entry: _ThreadEntry) -> None:
        """Store a thread with its present size, and mark it as the most recently changed one."""
        thread = entry.thread
        self._threads.put(thread.id, entry, thread.caller or thread.resource, entry.size)

    def _forget_thread(self, entry: _ThreadEntry) -> None:
        self._notes.pop(("thread", entry.thread.id))
        for message_id in entry.messages:
            del self._thread_ids[message_id]

    def _find_thread_of(self, message_id: str) -> _ThreadEntry | None:
        return self._threads.get(self._thread_ids.get(message_id, ""))

    def _put_messages(self, entry: _ThreadEntry, messages: Sequence[StoredMessage]) -> None:
        for message in messages:
            entry.put_message(message)
            self._thread_ids[message.id] = message.thread
            entry.position = next(self._positions)
        while len(entry.messages) > self._max_messages or entry.size > self._max_thread_bytes:
            oldest = next(iter(entry.messages), None)
            if oldest is None:
                return
            entry.remove_message(oldest)
            del self._thread_ids[oldest]

    def _check_owner(self, thread_id: str, messages: Iterable[StoredMessage]) -> None:
        for message in messages:
            if self._thread_ids.get(message.id, thread_id) != thread_id:
                raise Conflict(f"Another thread already has a message with the id {message.id!r}.")


def _repair_records(
    thread: Thread, messages: Sequence[StoredMessage] = ()
) -> tuple[Thread, Sequence[StoredMessage]]:
    """Replace texts and numbers that JSON cannot contain, as the other storages do."""
    check_encodable(thread.id, thread.resource)
    for message in messages:
        check_encodable(message.id, message.thread, message.role)
    return repair_struct(thread), [*map(repair_struct, messages)]


def _matches_query(message: StoredMessage, query: MessageQuery) -> bool:
    return (
        (not query.roles or message.role in query.roles)
        and (query.since is None or message.created_at >= query.since)
        and (query.until is None or message.created_at <= query.until)
        and matches_metadata(message.metadata, query.metadata)
    )


def _build_page(items: list[Any], query: ThreadQuery | MessageQuery) -> Page[Any]:
    ordered = items[::-1] if query.descending else items
    end = None if query.per_page is None else query.offset + query.per_page
    return Page(items=tuple(ordered[query.offset : end]), total=len(items))
