"""Threads in this process: every call is over before another begins, so each is whole."""

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


def matches_metadata(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether every wanted key is there with that value."""
    return all(key in metadata and metadata[key] == value for key, value in wanted.items())


class _Kept:
    """A thread with its messages, in the order they came."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.messages: dict[str, StoredMessage] = {}
        self.history: History | None = None
        self.position = 0


class MemoryThreads:
    """Bounded; see ``MemoryStorage``."""

    def __init__(self, max_threads: int, max_messages: int) -> None:
        self._max_threads = max_threads
        self._max_messages = max_messages
        self._threads: OrderedDict[str, _Kept] = OrderedDict()  # the last changed is the last
        self._thread_of: dict[str, str] = {}  # by message id
        self._notes: OrderedDict[tuple[Scope, str], str] = OrderedDict()
        self._positions = itertools.count(1)

    async def get(self, thread_id: str) -> Thread | None:
        """A thread by id."""
        kept = self._threads.get(thread_id)
        return kept.thread if kept else None

    async def find(self, query: ThreadQuery) -> Page[Thread]:
        """Threads that fit."""
        found = [
            kept.thread
            for kept in self._threads.values()
            if query.resource in (None, kept.thread.resource)
            and matches_metadata(kept.thread.metadata, query.metadata)
        ]
        found.sort(key=lambda thread: (getattr(thread, query.order_by), thread.id))
        return _page(found, query)

    async def create(self, thread: Thread) -> bool:
        """Keep a new thread; ``False`` where the id is taken."""
        if thread.id in self._threads:
            return False
        self._made(thread)
        return True

    async def update(self, thread: Thread) -> bool:
        """Replace a thread, its messages stay; ``False`` where there is none."""
        kept = self._threads.get(thread.id)
        if kept is None:
            return False
        kept.thread = thread
        self._threads.move_to_end(thread.id)
        return True

    async def delete(self, thread_id: str) -> bool:
        """Remove a thread with all that belongs to it; ``False`` where there is none."""
        return self._forgotten(thread_id)

    async def append(
        self,
        thread: Thread,
        messages: Sequence[StoredMessage],
        *,
        create: bool = True,
        history: History | None = None,
        after: int = 0,
    ) -> bool:
        """Add messages to a thread, together and at its end; see ``ThreadStore``."""
        kept = self._threads.get(thread.id)
        if not (create if kept is None else kept.thread.resource == thread.resource):
            return False
        self._refuse_others(thread.id, messages)
        kept = kept or self._made(thread)
        kept.history = history if kept.position == after else None
        self._put(kept, messages)
        kept.thread = msgspec.structs.replace(
            kept.thread,
            title=kept.thread.title or thread.title,
            updated_at=max(kept.thread.updated_at, thread.updated_at),
        )
        self._threads.move_to_end(thread.id)
        return True

    async def recall(self, thread_id: str, last: int) -> Recall:
        """The thread and its ``last`` messages."""
        kept = self._threads.get(thread_id)
        if kept is None:
            return Recall()
        newest = list(itertools.islice(reversed(kept.messages.values()), last))
        return Recall(
            thread=kept.thread,
            messages=tuple(reversed(newest)),
            history=kept.history,
            position=kept.position,
        )

    async def messages(self, query: MessageQuery) -> Page[StoredMessage]:
        """Messages of one thread that fit."""
        kept = self._threads.get(query.thread)
        messages = kept.messages.values() if kept else ()
        return _page([message for message in messages if _asked(message, query)], query)

    async def around(self, message_id: str, before: int, after: int) -> tuple[StoredMessage, ...]:
        """A message and its neighbours in its thread, oldest first."""
        kept = self._threads.get(self._thread_of.get(message_id, ""))
        if kept is None:
            return ()
        at = list(kept.messages).index(message_id)
        return tuple(itertools.islice(kept.messages.values(), max(at - before, 0), at + after + 1))

    async def get_messages(self, message_ids: Sequence[str]) -> tuple[StoredMessage, ...]:
        """Those of these messages that there are."""
        return tuple(
            self._threads[self._thread_of[name]].messages[name]
            for name in dict.fromkeys(message_ids)
            if name in self._thread_of
        )

    async def delete_messages(self, message_ids: Sequence[str]) -> int:
        """Delete messages; how many there were."""
        known = [name for name in dict.fromkeys(message_ids) if name in self._thread_of]
        for name in known:
            kept = self._threads[self._thread_of.pop(name)]
            kept.history = None
            kept.position = next(self._positions)
            del kept.messages[name]
        return len(known)

    async def get_working_memory(self, scope: Scope, owner: str) -> str:
        """What is noted of a thread or resource; empty where nothing is."""
        return self._notes.get((scope, owner), "")

    async def change_working_memory(
        self, scope: Scope, owner: str, change: Callable[[str], str]
    ) -> str:
        """Replace what is noted by ``change`` of it, and give that."""
        key = (scope, owner)
        self._notes[key] = change(self._notes.get(key, ""))
        self._notes.move_to_end(key)
        while len(self._notes) > self._max_threads:
            self._notes.popitem(last=False)
        return self._notes.get(key, "")

    def _made(self, thread: Thread) -> _Kept:
        kept = self._threads[thread.id] = _Kept(thread)
        while len(self._threads) > self._max_threads:
            self._forgotten(next(iter(self._threads)))
        return kept

    def _forgotten(self, thread_id: str) -> bool:
        kept = self._threads.pop(thread_id, None)
        self._notes.pop(("thread", thread_id), None)
        for name in kept.messages if kept else ():
            del self._thread_of[name]
        return kept is not None

    def _put(self, kept: _Kept, messages: Sequence[StoredMessage]) -> None:
        for message in messages:
            kept.messages[message.id] = message
            self._thread_of[message.id] = message.thread
            kept.position = next(self._positions)
        for name in list(itertools.islice(kept.messages, _excess(kept, self._max_messages))):
            del kept.messages[name], self._thread_of[name]

    def _refuse_others(self, thread_id: str, messages: Iterable[StoredMessage]) -> None:
        for message in messages:
            if self._thread_of.get(message.id, thread_id) != thread_id:
                raise Conflict(f"Another thread has the message {message.id!r}.")


def _excess(kept: _Kept, most: int) -> int:
    return max(len(kept.messages) - most, 0)


def _asked(message: StoredMessage, query: MessageQuery) -> bool:
    return (
        (not query.roles or message.role in query.roles)
        and (query.since is None or message.created_at >= query.since)
        and (query.until is None or message.created_at <= query.until)
        and matches_metadata(message.metadata, query.metadata)
    )


def _page(found: list[Any], query: ThreadQuery | MessageQuery) -> Page[Any]:
    ordered = found[::-1] if query.descending else found
    end = None if query.per_page is None else query.offset + query.per_page
    return Page(items=tuple(ordered[query.offset : end]), total=len(found))
