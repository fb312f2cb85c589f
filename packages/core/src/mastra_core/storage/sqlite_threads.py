"""Threads in an SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

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
    now,
)
from mastra_core.storage.sqlite_file import SqliteFile
from mastra_core.storage.sqlite_rows import (
    MESSAGE,
    THREAD,
    encode_json,
    parse_message,
    parse_thread,
    to_message_row,
    to_thread_row,
)

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ("SqliteThreads",)

_BY_ID = f"SELECT {THREAD} FROM mastra_threads WHERE id = ?"
_INSERT_THREAD = f"INSERT OR IGNORE INTO mastra_threads ({THREAD}) VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE_THREAD = """UPDATE mastra_threads SET resource = ?, title = ?, metadata = ?,
    created_at = ?, updated_at = ? WHERE id = ?"""
_TOUCH = """UPDATE mastra_threads SET title = CASE title WHEN '' THEN ? ELSE title END,
    updated_at = max(updated_at, ?) WHERE id = ?"""
_MOVE = "UPDATE mastra_threads SET position = max(position + 1, ?) WHERE id = ?"
_PUT_MESSAGE = f"""INSERT INTO mastra_messages ({MESSAGE}) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET role = excluded.role, parts = excluded.parts,
    content = excluded.content, metadata = excluded.metadata, created_at = excluded.created_at
    WHERE thread = excluded.thread"""
_LAST = f"SELECT {MESSAGE} FROM mastra_messages WHERE thread = ? ORDER BY number DESC LIMIT ?"
_PUT_HISTORY = "INSERT INTO mastra_histories (thread, agent, messages, data) VALUES (?, ?, ?, ?)"
_HISTORY = "SELECT agent, data, messages FROM mastra_histories WHERE thread = ?"
_NOTE = "SELECT content FROM mastra_working_memory WHERE scope = ? AND owner = ?"
_PUT_NOTE = "INSERT OR REPLACE INTO mastra_working_memory VALUES (?, ?, ?)"


class SqliteThreads:
    """See ``ThreadStore``."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def get(self, thread_id: str) -> Thread | None:
        """A thread by id."""
        return await self._file.read(lambda sql: _thread(sql, thread_id))

    async def find(self, query: ThreadQuery) -> Page[Thread]:
        """Threads that fit."""
        conditions: list[tuple[str, Any]] = []
        if query.resource is not None:
            conditions.append(("resource = ?", query.resource))
        if query.metadata:
            conditions.append(("mastra_fits(metadata, ?)", encode_json(query.metadata)))
        select = _Select("mastra_threads", THREAD, conditions, f"{query.order_by} {{0}}, id {{0}}")
        return await self._file.read(lambda sql: select.page(sql, query, parse_thread))

    async def create(self, thread: Thread) -> bool:
        """Keep a new thread; ``False`` where the id is taken."""
        row = to_thread_row(thread)
        return await self._file.write(lambda sql: sql.execute(_INSERT_THREAD, row).rowcount > 0)

    async def update(self, thread: Thread) -> bool:
        """Replace a thread, its messages stay; ``False`` where there is none."""
        name, *row = to_thread_row(thread)
        update = (*row, name)
        return await self._file.write(lambda sql: sql.execute(_UPDATE_THREAD, update).rowcount > 0)

    async def delete(self, thread_id: str) -> bool:
        """Remove a thread with all that belongs to it; ``False`` where there is none."""

        def work(sql: Connection) -> bool:
            sql.execute(
                "DELETE FROM mastra_working_memory WHERE scope = 'thread' AND owner = ?",
                (thread_id,),
            )
            done = sql.execute("DELETE FROM mastra_threads WHERE id = ?", (thread_id,))
            return done.rowcount > 0

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
        """Add messages to a thread, together and at its end; see ``ThreadStore``."""

        def work(sql: Connection) -> bool:
            if create:
                sql.execute(_INSERT_THREAD, to_thread_row(thread))
            known = _thread(sql, thread.id)
            if known is None or known.resource != thread.resource:
                return False
            in_step = _position(sql, thread.id) == after
            _put(sql, thread.id, messages)
            if history is not None and in_step:
                row = (thread.id, history.agent, history.messages, history.data)
                sql.execute(_PUT_HISTORY, row)
            sql.execute(_TOUCH, (thread.title, thread.updated_at, thread.id))
            return True

        return await self._file.write(work)

    async def recall(self, thread_id: str, last: int) -> Recall:
        """The thread and its ``last`` messages."""

        def work(sql: Connection) -> Recall:
            thread = _thread(sql, thread_id)
            if thread is None:
                return Recall()
            newest = sql.execute(_LAST, (thread_id, last)).fetchall()
            return Recall(
                thread=thread,
                messages=tuple(parse_message(row) for row in reversed(newest)),
                history=_history(sql, thread_id),
                position=_position(sql, thread_id),
            )

        return await self._file.read(work)

    async def messages(self, query: MessageQuery) -> Page[StoredMessage]:
        """Messages of one thread that fit."""
        conditions: list[tuple[str, Any]] = [("thread = ?", query.thread)]
        if query.since is not None:
            conditions.append(("created_at >= ?", query.since))
        if query.until is not None:
            conditions.append(("created_at <= ?", query.until))
        if query.metadata:
            conditions.append(("mastra_fits(metadata, ?)", encode_json(query.metadata)))
        if query.roles:
            conditions.append((f"role IN ({_marks(query.roles)})", query.roles))
        select = _Select("mastra_messages", MESSAGE, conditions, "number {0}")
        return await self._file.read(lambda sql: select.page(sql, query, parse_message))

    async def around(self, message_id: str, before: int, after: int) -> tuple[StoredMessage, ...]:
        """A message and its neighbours in its thread, oldest first."""
        return await self._file.read(lambda sql: _around(sql, message_id, before, after))

    async def get_messages(self, message_ids: Sequence[str]) -> tuple[StoredMessage, ...]:
        """Those of these messages that there are."""
        return await self._file.read(lambda sql: tuple(_known(sql, message_ids)))

    async def delete_messages(self, message_ids: Sequence[str]) -> int:
        """Delete messages; how many there were."""

        def work(sql: Connection) -> int:
            known = list(_known(sql, message_ids))
            for message in known:
                sql.execute("DELETE FROM mastra_messages WHERE id = ?", (message.id,))
            for thread in {message.thread for message in known}:
                _changed(sql, thread)
            return len(known)

        return await self._file.write(work)

    async def get_working_memory(self, scope: Scope, owner: str) -> str:
        """What is noted of a thread or resource; empty where nothing is."""
        return await self._file.read(lambda sql: _note(sql, scope, owner))

    async def change_working_memory(
        self, scope: Scope, owner: str, change: Callable[[str], str]
    ) -> str:
        """Replace what is noted by ``change`` of it, and give that."""

        def work(sql: Connection) -> str:
            changed = change(_note(sql, scope, owner))
            sql.execute(_PUT_NOTE, (scope, owner, changed))
            return changed

        return await self._file.write(work)


class _Select:
    """A query by pages: the names in it are ours, every value is bound."""

    def __init__(
        self, table: str, columns: str, conditions: list[tuple[str, Any]], order: str
    ) -> None:
        where = " AND ".join(condition for condition, _ in conditions) or "1"
        self._from = f"FROM {table} WHERE {where}"
        self._columns = columns
        self._order = order
        self._values: list[Any] = []
        for _, value in conditions:
            self._values += value if isinstance(value, tuple) else [value]

    def page(
        self, sql: Connection, query: ThreadQuery | MessageQuery, made: Callable[[Any], Any]
    ) -> Page[Any]:
        """The rows of one page, and how many rows there are."""
        (total,) = sql.execute(f"SELECT count(*) {self._from}", self._values).fetchone()
        order = self._order.format("DESC" if query.descending else "ASC")
        rows = sql.execute(
            f"SELECT {self._columns} {self._from} ORDER BY {order} LIMIT ? OFFSET ?",
            [*self._values, -1 if query.per_page is None else query.per_page, query.offset],
        )
        return Page(items=tuple(made(row) for row in rows), total=total)


def _thread(sql: Connection, thread_id: str) -> Thread | None:
    row = sql.execute(_BY_ID, (thread_id,)).fetchone()
    return row and parse_thread(row)


def _position(sql: Connection, thread_id: str) -> int:
    row = sql.execute("SELECT position FROM mastra_threads WHERE id = ?", (thread_id,)).fetchone()
    return int(row[0])


def _history(sql: Connection, thread_id: str) -> History | None:
    row = sql.execute(_HISTORY, (thread_id,)).fetchone()
    return row and History(agent=row[0], data=row[1], messages=row[2])


def _put(sql: Connection, thread_id: str, messages: Iterable[StoredMessage]) -> None:
    for message in messages:
        if not sql.execute(_PUT_MESSAGE, to_message_row(message)).rowcount:
            raise Conflict(f"Another thread has the message {message.id!r}.")
    _changed(sql, thread_id)


def _changed(sql: Connection, thread_id: str) -> None:
    sql.execute("DELETE FROM mastra_histories WHERE thread = ?", (thread_id,))
    sql.execute(_MOVE, (now(), thread_id))


def _known(sql: Connection, message_ids: Sequence[str]) -> Iterable[StoredMessage]:
    """One by one: a statement takes only so many values."""
    for name in dict.fromkeys(message_ids):
        row = sql.execute(f"SELECT {MESSAGE} FROM mastra_messages WHERE id = ?", (name,)).fetchone()
        if row:
            yield parse_message(row)


def _around(sql: Connection, message_id: str, before: int, after: int) -> tuple[StoredMessage, ...]:
    here = sql.execute(
        "SELECT thread, number FROM mastra_messages WHERE id = ?", (message_id,)
    ).fetchone()
    if here is None:
        return ()
    near = f"SELECT {MESSAGE} FROM mastra_messages WHERE thread = ? AND number"
    earlier = sql.execute(f"{near} < ? ORDER BY number DESC LIMIT ?", (*here, before)).fetchall()
    later = sql.execute(f"{near} >= ? ORDER BY number LIMIT ?", (*here, after + 1)).fetchall()
    return tuple(parse_message(row) for row in [*reversed(earlier), *later])


def _note(sql: Connection, scope: Scope, owner: str) -> str:
    row = sql.execute(_NOTE, (scope, owner)).fetchone()
    return row[0] if row else ""


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" for _ in values)
