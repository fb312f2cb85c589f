"""Threads in an SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.errors import Conflict
from mastra_core.json_repair import repair_text
from mastra_core.limits.page_size import PageSize
from mastra_core.schema import encode_json
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
    now,
)
from mastra_core.storage.sqlite_file import SqliteFile
from mastra_core.storage.sqlite_rows import (
    MESSAGE,
    THREAD,
    parse_message,
    parse_thread,
    to_message_row,
    to_thread_row,
)
from mastra_core.storage.sqlite_select import PagedSelect, estimate_row_size

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ("SqliteThreads",)

_BY_ID = f"SELECT {THREAD} FROM mastra_threads WHERE id = ?"
_INSERT_THREAD = f"INSERT OR IGNORE INTO mastra_threads ({THREAD}) VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE_THREAD = """UPDATE mastra_threads SET resource = ?, title = ?, metadata = ?,
    created_at = ?, updated_at = ? WHERE id = ? AND resource = ifnull(?, resource)"""
_DELETE_THREAD = "DELETE FROM mastra_threads WHERE id = ? AND resource = ifnull(?, resource)"
_TOUCH = """UPDATE mastra_threads SET title = CASE title WHEN '' THEN ? ELSE title END,
    updated_at = max(updated_at, ?) WHERE id = ?"""
_MOVE = "UPDATE mastra_threads SET position = max(position + 1, ?) WHERE id = ?"
_PUT_MESSAGE = f"""INSERT INTO mastra_messages ({MESSAGE}) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET role = excluded.role, parts = excluded.parts,
    content = excluded.content, metadata = excluded.metadata, created_at = excluded.created_at
    WHERE thread = excluded.thread"""
_IS_OWNED = "EXISTS (SELECT 1 FROM mastra_threads WHERE id = ? AND resource = ?)"
_LAST = f"SELECT {MESSAGE} FROM mastra_messages WHERE thread = ? ORDER BY number DESC LIMIT ?"
_PUT_HISTORY = "INSERT INTO mastra_histories (thread, agent, messages, data) VALUES (?, ?, ?, ?)"
_HISTORY = "SELECT agent, data, messages FROM mastra_histories WHERE thread = ?"
_NOTE = "SELECT content FROM mastra_working_memory WHERE scope = ? AND owner = ?"
_PUT_NOTE = "INSERT OR REPLACE INTO mastra_working_memory VALUES (?, ?, ?)"


class SqliteThreads:
    """The ``ThreadStore`` of ``SqliteStorage``.

    :param file: the file.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def get(self, thread_id: str) -> Thread | None:
        """Return a thread.

        :param thread_id: id of the thread.
        :returns: the thread, ``None`` if there is none.
        """
        return await self._file.read(lambda sql: _read_thread(sql, thread_id))

    async def find(self, query: ThreadQuery) -> Page[Thread]:
        """Return the threads that match a query.

        :param query: the query.
        """
        conditions: list[tuple[str, Any]] = []
        if query.resource is not None:
            conditions.append(("resource = ?", query.resource))
        if query.metadata:
            conditions.append(("mastra_fits(metadata, ?)", encode_json(query.metadata)))
        select = PagedSelect(
            "mastra_threads", THREAD, conditions, f"{query.order_by} {{0}}, id {{0}}"
        )
        return await self._file.read(lambda sql: _fetch_page(sql, select, query, parse_thread))

    async def create(self, thread: Thread) -> bool:
        """Store a new thread.

        :param thread: the thread.
        :returns: ``False`` if the id is taken.
        """
        row = to_thread_row(thread)
        return await self._file.write(lambda sql: sql.execute(_INSERT_THREAD, row).rowcount > 0)

    async def update(self, thread: Thread, resource: str | None = None) -> bool:
        """Replace the data of a thread, and keep its messages.

        :param thread: the thread.
        :param resource: the owner that the stored thread must have; ``None`` for any.
        :returns: ``False`` if there is no such thread.
        """
        name, *row = to_thread_row(thread)
        update = (*row, name, resource)
        return await self._file.write(lambda sql: sql.execute(_UPDATE_THREAD, update).rowcount > 0)

    async def delete(self, thread_id: str, resource: str | None = None) -> bool:
        """Delete a thread with its messages and notes.

        :param thread_id: id of the thread.
        :param resource: the owner that the thread must have; ``None`` for any.
        :returns: ``False`` if there is no such thread.
        """

        def work(sql: Connection) -> bool:
            if not sql.execute(_DELETE_THREAD, (thread_id, resource)).rowcount:
                return False
            sql.execute(
                "DELETE FROM mastra_working_memory WHERE scope = 'thread' AND owner = ?",
                (thread_id,),
            )
            return True

        return await self._file.write(work)

    async def append(
        self,
        thread: Thread,
        messages: Sequence[StoredMessage],
        *,
        create: bool = True,
        history: History | None = None,
        after: int = 0,
    ) -> bool:
        """Add messages at the end of a thread in one transaction, as ``ThreadStore`` defines.

        :param thread: the thread.
        :param messages: the messages.
        :param create: whether to create a missing thread.
        :param history: the framework's own history of the thread.
        :param after: the thread's position that the history was written for.
        :returns: ``False`` if nothing was stored.
        :raises Conflict: when another thread has a message of that id.
        """

        def work(sql: Connection) -> bool:
            if create:
                sql.execute(_INSERT_THREAD, to_thread_row(thread))
            stored_thread = _read_thread(sql, thread.id)
            if stored_thread is None or stored_thread.resource != thread.resource:
                return False
            is_current = _read_position(sql, thread.id) == after
            _put_messages(sql, thread.id, messages)
            if history is not None and is_current:
                row = (thread.id, history.agent, history.messages, history.data)
                sql.execute(_PUT_HISTORY, row)
            sql.execute(_TOUCH, (repair_text(thread.title), thread.updated_at, thread.id))
            return True

        return await self._file.write(work)

    async def recall(self, thread_id: str, last: int) -> Recall:
        """Return a thread and its last messages.

        :param thread_id: id of the thread.
        :param last: how many messages.
        """

        def work(sql: Connection) -> Recall:
            thread = _read_thread(sql, thread_id)
            if thread is None:
                return Recall()
            return Recall(
                thread=thread,
                messages=_read_newest(sql, thread_id, last),
                history=_read_history(sql, thread_id),
                position=_read_position(sql, thread_id),
            )

        return await self._file.read(work)

    async def list_messages(self, query: MessageQuery) -> Page[StoredMessage]:
        """Return the messages of one thread that match a query.

        :param query: the query.
        """
        conditions: list[tuple[str, Any]] = [("thread = ?", query.thread)]
        if query.resource is not None:
            conditions.append((_IS_OWNED, (query.thread, query.resource)))
        if query.since is not None:
            conditions.append(("created_at >= ?", query.since))
        if query.until is not None:
            conditions.append(("created_at <= ?", query.until))
        if query.metadata:
            conditions.append(("mastra_fits(metadata, ?)", encode_json(query.metadata)))
        if query.roles:
            conditions.append((f"role IN ({_build_placeholders(query.roles)})", query.roles))
        select = PagedSelect("mastra_messages", MESSAGE, conditions, "number {0}")
        return await self._file.read(lambda sql: _fetch_page(sql, select, query, parse_message))

    async def get_surrounding(
        self, message_id: str, before: int, after: int
    ) -> tuple[StoredMessage, ...]:
        """Return a message and the messages around it, oldest first.

        :param message_id: id of the message.
        :param before: how many earlier messages.
        :param after: how many later messages.
        """
        return await self._file.read(lambda sql: _read_surrounding(sql, message_id, before, after))

    async def get_messages(self, message_ids: Sequence[str]) -> tuple[StoredMessage, ...]:
        """Return the messages with these ids, and skip unknown ids.

        :param message_ids: ids of the messages.
        """
        return await self._file.read(lambda sql: tuple(_iter_messages(sql, message_ids)))

    async def delete_messages(self, message_ids: Sequence[str], resource: str | None = None) -> int:
        """Delete messages, except those of other resources.

        :param message_ids: ids of the messages.
        :param resource: the owner that their threads must have; ``None`` for any.
        :returns: how many messages were deleted.
        """

        def work(sql: Connection) -> int:
            messages = [
                message
                for message in _iter_messages(sql, message_ids)
                if resource in (None, _read_owner(sql, message.thread))
            ]
            for message in messages:
                sql.execute("DELETE FROM mastra_messages WHERE id = ?", (message.id,))
            for thread_id in {message.thread for message in messages}:
                _mark_changed(sql, thread_id)
            return len(messages)

        return await self._file.write(work)

    async def get_working_memory(
        self, scope: Scope, owner: str, resource: str | None = None
    ) -> str:
        """Return the notes about a thread or resource.

        :param scope: ``thread`` or ``resource``.
        :param owner: id of the thread or resource.
        :param resource: the owner that an existing thread must have; ``None`` for any.
        :returns: the notes, empty if there are none.
        """

        def work(sql: Connection) -> str:
            is_allowed = _may_use_notes(sql, scope, owner, resource)
            return _read_notes(sql, scope, owner) if is_allowed else ""

        return await self._file.read(work)

    async def change_working_memory(
        self,
        scope: Scope,
        owner: str,
        change: Callable[[str], str],
        resource: str | None = None,
    ) -> str:
        """Replace the notes with ``change(notes)``.

        :param scope: ``thread`` or ``resource``.
        :param owner: id of the thread or resource.
        :param change: returns the new notes for the old ones.
        :param resource: the caller whose limits the notes count toward, and the owner that an
            existing thread must have; ``None`` for any.
        :returns: the new notes.
        :raises Forbidden: when the thread belongs to another resource.
        """

        def work(sql: Connection) -> str:
            if not _may_use_notes(sql, scope, owner, resource):
                raise build_owner_error(owner)
            changed = repair_text(change(_read_notes(sql, scope, owner)))
            sql.execute(_PUT_NOTE, (scope, owner, changed))
            return changed

        return await self._file.write(work)


def _fetch_page(
    sql: Connection,
    select: PagedSelect,
    query: ThreadQuery | MessageQuery,
    parse_row: Callable[[Any], Any],
) -> Page[Any]:
    items, total = select.fetch_page(
        sql,
        parse_row,
        query.per_page,
        query.offset,
        descending=query.descending,
        max_bytes=query.max_bytes,
    )
    return Page(items=items, total=total)


def _read_thread(sql: Connection, thread_id: str) -> Thread | None:
    row = sql.execute(_BY_ID, (thread_id,)).fetchone()
    return row and parse_thread(row)


def _read_owner(sql: Connection, thread_id: str) -> str | None:
    row = sql.execute("SELECT resource FROM mastra_threads WHERE id = ?", (thread_id,)).fetchone()
    return row[0] if row else None


def _may_use_notes(sql: Connection, scope: Scope, owner: str, resource: str | None) -> bool:
    if resource is None:
        return True
    if scope == "resource":
        return owner == resource
    return _read_owner(sql, owner) in (None, resource)


def _read_position(sql: Connection, thread_id: str) -> int:
    row = sql.execute("SELECT position FROM mastra_threads WHERE id = ?", (thread_id,)).fetchone()
    return int(row[0])


def _read_history(sql: Connection, thread_id: str) -> History | None:
    row = sql.execute(_HISTORY, (thread_id,)).fetchone()
    return row and History(agent=row[0], data=row[1], messages=row[2])


def _read_newest(sql: Connection, thread_id: str, last: int) -> tuple[StoredMessage, ...]:
    """Return the newest messages that one run may receive, oldest first."""
    messages: list[StoredMessage] = []
    size = 0
    for row in sql.execute(_LAST, (thread_id, last)):
        size += estimate_row_size(row)
        if messages and size > MAX_RECALL_BYTES:
            break
        messages.append(parse_message(row))
    return tuple(reversed(messages))


def _put_messages(sql: Connection, thread_id: str, messages: Iterable[StoredMessage]) -> None:
    for message in messages:
        if not sql.execute(_PUT_MESSAGE, to_message_row(message)).rowcount:
            raise Conflict(f"Another thread already has a message with the id {message.id!r}.")
    _mark_changed(sql, thread_id)


def _mark_changed(sql: Connection, thread_id: str) -> None:
    sql.execute("DELETE FROM mastra_histories WHERE thread = ?", (thread_id,))
    sql.execute(_MOVE, (now(), thread_id))


def _iter_messages(sql: Connection, message_ids: Sequence[str]) -> Iterable[StoredMessage]:
    """Yield messages by id, with one query for each id, because SQLite limits bound values."""
    for name in dict.fromkeys(message_ids):
        row = sql.execute(f"SELECT {MESSAGE} FROM mastra_messages WHERE id = ?", (name,)).fetchone()
        if row:
            yield parse_message(row)


def _read_surrounding(
    sql: Connection, message_id: str, before: int, after: int
) -> tuple[StoredMessage, ...]:
    location = sql.execute(
        "SELECT thread, number FROM mastra_messages WHERE id = ?", (message_id,)
    ).fetchone()
    if location is None:
        return ()
    select = f"SELECT {MESSAGE} FROM mastra_messages WHERE thread = ? AND number"
    earlier = sql.execute(f"{select} < ? ORDER BY number DESC LIMIT ?", (*location, before))
    later = sql.execute(f"{select} >= ? ORDER BY number LIMIT ?", (*location, after + 1))
    size = PageSize(MAX_RECALL_BYTES)
    groups: list[list[StoredMessage]] = []
    for rows in (earlier, later):
        groups.append([])
        for row in rows:
            size.add(estimate_row_size(row))
            groups[-1].append(parse_message(row))
    return (*reversed(groups[0]), *groups[1])


def _read_notes(sql: Connection, scope: Scope, owner: str) -> str:
    row = sql.execute(_NOTE, (scope, owner)).fetchone()
    return row[0] if row else ""


def _build_placeholders(values: Sequence[str]) -> str:
    return ", ".join("?" for _ in values)
