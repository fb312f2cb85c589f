"""Threads in a database that understands the SQL of SQLite."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from mastra_core.errors import Conflict
from mastra_core.json_repair import repair_text
from mastra_core.limits.page_size import PageSize
from mastra_core.override import override
from mastra_core.schema import encode_json
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
    now,
)
from mastra_core.storage.sql_append_condition import IS_OWNED, AppendCondition
from mastra_core.storage.sql_database import Lock, Result, SqlDatabase, Statement
from mastra_core.storage.sql_notes import SqlNotes
from mastra_core.storage.sql_rows import (
    MESSAGE,
    THREAD,
    JsonText,
    check_row_size,
    encode_names,
    parse_listed_thread,
    parse_message,
    parse_thread,
    to_message_row,
    to_thread_row,
)
from mastra_core.storage.sql_select import (
    HAS_METADATA,
    PagedSelect,
    RowSelect,
    estimate_row_size,
    find_read_limit,
)

__all__ = ("SqlThreads",)

_THREAD_COLUMNS = THREAD.split(", ")
_BY_ID = f"SELECT {THREAD}, position FROM mastra_threads WHERE id = ?"
_UPDATE_THREAD = "UPDATE mastra_threads SET {} WHERE id = ? AND resource = coalesce(?, resource)"
_DELETE_THREAD = "DELETE FROM mastra_threads WHERE id = ? AND resource = coalesce(?, resource)"
_DELETE_NOTES = """DELETE FROM mastra_working_memory WHERE scope = 'thread' AND owner = ?
    AND EXISTS (SELECT 1 FROM mastra_threads WHERE id = ? AND resource = coalesce(?, resource))"""
_TOUCH = """UPDATE mastra_threads SET title = CASE title WHEN '' THEN ? ELSE title END,
    updated_at = max(updated_at, ?), position = max(position + 1, ?) WHERE id = ?"""
_INSERT_MESSAGES = f"""INSERT INTO mastra_messages ({MESSAGE})
    SELECT * FROM (VALUES {{}}) AS new_messages WHERE true"""
# If another transaction has just used the id in another thread, NULL makes the statement fail.
_ON_SAME_ID = """ON CONFLICT (id) DO UPDATE SET
    role = CASE mastra_messages.thread WHEN excluded.thread THEN excluded.role END,
    parts = excluded.parts, content = excluded.content, metadata = excluded.metadata,
    created_at = excluded.created_at"""
_SHARED_LOCK = Lock("mastra_threads", is_shared=True)
_EXCLUSIVE_LOCK = Lock("mastra_threads")
_MAX_POSITION = 2**52
_ROWS_PER_INSERT = 13  # D1 allows 100 values in one statement
_PUT_HISTORY = """INSERT INTO mastra_histories (thread, agent, messages, data)
    SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM mastra_threads WHERE id = ? AND position = ?)"""
_DELETE_HISTORY = "DELETE FROM mastra_histories WHERE thread = ?"
_HISTORY = "SELECT agent, data, messages FROM mastra_histories WHERE thread = ?"
_OWN_MESSAGES = """id IN (SELECT value FROM json_each(?))
    AND thread IN (SELECT id FROM mastra_threads WHERE resource = coalesce(?, resource))"""
_OWN_THREADS = f"SELECT thread FROM mastra_messages WHERE {_OWN_MESSAGES}"
_OF_MESSAGE = "(SELECT {0} FROM mastra_messages WHERE id = ?)"
_SAME_THREAD = f"thread = {_OF_MESSAGE.format('thread')} AND number {{0}} " + _OF_MESSAGE.format(
    "number"
)
_MESSAGES = RowSelect(
    "mastra_messages",
    MESSAGE,
    size="length(parts) + length(content) + length(metadata)",
    order="number {0}",
    keys=("number",),
)


class SqlThreads(ThreadStore):
    """The ``ThreadStore`` of a database that understands the SQL of SQLite.

    :param database: the database.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._notes = SqlNotes(database)

    @override
    async def get(self, thread_id: str) -> Thread | None:
        statement = Statement(_BY_ID, (thread_id,))
        return await self._database.execute([statement], lambda results: _get_thread(results[0]))

    @override
    async def find(self, query: ThreadQuery) -> Page[Thread]:
        conditions: list[tuple[str, Any]] = []
        if query.resource is not None:
            conditions.append(("resource = ?", query.resource))
        if query.metadata:
            conditions.append((HAS_METADATA, JsonText(encode_json(query.metadata).decode())))
        order = f"{query.order_by} {{0}}, id {{0}}"
        size = "length(title) + length(metadata)"
        rows = RowSelect("mastra_threads", THREAD, size=size, order=order)
        return await self._fetch_page(PagedSelect(rows, conditions), query, parse_listed_thread)

    @override
    async def create(self, thread: Thread, messages: Sequence[StoredMessage] = ()) -> bool:
        messages = [*{each.id: each for each in messages}.values()]
        # Only a thread that this call has just created has this position.
        position = -random.randint(1, _MAX_POSITION) if messages else 0  # noqa: S311  # no secret
        condition = AppendCondition(thread, messages, position)
        statements = [*condition.build_creation(self._to_thread_row(thread))]
        if messages:
            touch = Statement(_TOUCH, ("", thread.updated_at, now(), thread.id))
            statements += [*self._build_inserts(messages, condition), condition.add_to(touch)]
        if await self._change(statements, thread.id):
            return True
        taken_id, known = await self._find_taken_id(condition)
        if taken_id is not None and known is None:
            raise _build_conflict(taken_id)
        return False

    @override
    async def update(
        self,
        thread: Thread,
        resource: str | None = None,
        *,
        fields: Collection[str] | None = None,
    ) -> bool:
        row = dict(zip(_THREAD_COLUMNS, self._to_thread_row(thread), strict=True))
        thread_id = row.pop("id")
        changes = {name: row[name] for name in row if fields is None or name in fields}
        sql = _UPDATE_THREAD.format(", ".join(f"{name} = ?" for name in changes))
        update = Statement(sql, (*changes.values(), thread_id, resource))
        return await self._change([update], thread.id)

    @override
    async def delete(self, thread_id: str, resource: str | None = None) -> bool:
        delete_notes = Statement(_DELETE_NOTES, (thread_id, thread_id, resource))
        delete_thread = Statement(_DELETE_THREAD, (thread_id, resource))
        return await self._change([delete_notes, delete_thread], thread_id)

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
        messages = [*{each.id: each for each in messages}.values()]
        condition = AppendCondition(thread, messages)
        delete_history = Statement(_DELETE_HISTORY, (thread.id,))
        title = repair_text(thread.title)
        touch = Statement(_TOUCH, (title, thread.updated_at, now(), thread.id))
        statements = [condition.add_to(delete_history)]
        if create:
            statements = [*condition.build_creation(self._to_thread_row(thread)), *statements]
        if history is not None and self._fits_row(history):
            row = (thread.id, history.agent, history.messages, history.data)
            statements.append(condition.add_to(Statement(_PUT_HISTORY, (*row, thread.id, after))))
        statements += self._build_inserts(messages, condition)
        if await self._change([*statements, condition.add_to(touch)], thread.id):
            return True
        taken_id, known = await self._find_taken_id(condition)
        if taken_id is not None and (
            create if known is None else known.resource == thread.resource
        ):
            raise _build_conflict(taken_id)
        return False

    @override
    async def recall(
        self, thread_id: str, last: int, *, max_bytes: int = MAX_RECALL_BYTES
    ) -> Recall:
        limit = self._limit_read(max_bytes)
        statements = [
            Statement(_BY_ID, (thread_id,)),
            _MESSAGES.build(
                "thread = ?", (thread_id,), limit=last, descending=True, max_bytes=limit
            ),
            Statement(_HISTORY, (thread_id,)),
        ]

        def convert(results: Sequence[Result]) -> Recall:
            thread = _get_thread(results[0])
            if thread is None:
                return Recall()
            return Recall(
                thread=thread,
                messages=_take_newest(results[1].rows, limit or max_bytes),
                history=_get_history(results[2]),
                position=results[0].rows[0][-1],
            )

        return await self._database.execute(statements, convert)

    @override
    async def list_messages(self, query: MessageQuery) -> Page[StoredMessage]:
        conditions: list[tuple[str, Any]] = [("thread = ?", query.thread)]
        if query.resource is not None:
            conditions.append((IS_OWNED, (query.thread, query.resource)))
        if query.since is not None:
            conditions.append(("created_at >= ?", query.since))
        if query.until is not None:
            conditions.append(("created_at <= ?", query.until))
        if query.metadata:
            conditions.append((HAS_METADATA, JsonText(encode_json(query.metadata).decode())))
        if query.roles:
            roles = "role IN (SELECT value FROM json_each(?))"
            conditions.append((roles, encode_names(query.roles)))
        return await self._fetch_page(PagedSelect(_MESSAGES, conditions), query, parse_message)

    @override
    async def get_surrounding(
        self, message_id: str, before: int, after: int, *, max_bytes: int = MAX_RECALL_BYTES
    ) -> tuple[StoredMessage, ...]:
        ids, limit = (message_id, message_id), self._limit_read(max_bytes)
        earlier, later = _SAME_THREAD.format("<"), _SAME_THREAD.format(">=")
        statements = [
            _MESSAGES.build(earlier, ids, limit=before, descending=True, max_bytes=limit),
            _MESSAGES.build(later, ids, limit=after + 1, max_bytes=limit),
        ]

        def convert(results: Sequence[Result]) -> tuple[StoredMessage, ...]:
            size = PageSize(limit)
            rows = (*reversed(results[0].rows), *results[1].rows)
            return tuple(_parse_messages(rows, size))

        return await self._database.execute(statements, convert)

    @override
    async def get_messages(self, message_ids: Sequence[str]) -> tuple[StoredMessage, ...]:
        limit = self._limit_read(None)

        def convert(results: Sequence[Result]) -> tuple[StoredMessage, ...]:
            found = {each.id: each for each in _parse_messages(results[0].rows, PageSize(limit))}
            return tuple(found[each] for each in dict.fromkeys(message_ids) if each in found)

        where = "id IN (SELECT value FROM json_each(?))"
        names = (encode_names(message_ids),)
        statement = _MESSAGES.build(where, names, limit=None, max_bytes=limit)
        return await self._database.execute([statement], convert)

    @override
    async def delete_messages(self, message_ids: Sequence[str], resource: str | None = None) -> int:
        own = (encode_names(message_ids), resource)
        statements = [
            Statement(f"DELETE FROM mastra_histories WHERE thread IN ({_OWN_THREADS})", own),
            Statement(
                f"""UPDATE mastra_threads SET position = max(position + 1, ?)
                WHERE id IN ({_OWN_THREADS})""",
                (now(), *own),
            ),
            Statement(f"DELETE FROM mastra_messages WHERE {_OWN_MESSAGES}", own),
        ]
        return await self._database.execute(
            statements,
            lambda results: results[-1].changes,
            writes=True,
            locks=[_EXCLUSIVE_LOCK],
        )

    @override
    async def get_working_memory(
        self, scope: Scope, owner: str, resource: str | None = None
    ) -> str:
        return await self._notes.get(scope, owner, resource)

    @override
    async def change_working_memory(
        self,
        scope: Scope,
        owner: str,
        change: Callable[[str], str],
        resource: str | None = None,
    ) -> str:
        return await self._notes.change(scope, owner, change, resource)

    async def _change(self, statements: Sequence[Statement], thread_id: str) -> bool:
        """Change one thread, and return whether the last statement has changed a row."""
        return await self._database.execute(
            statements,
            lambda results: results[-1].changes > 0,
            writes=True,
            locks=[_SHARED_LOCK, Lock(f"mastra_threads {thread_id}")],
            is_conditional=True,
        )

    async def _find_taken_id(self, condition: AppendCondition) -> tuple[str | None, Thread | None]:
        """Return an id that is taken by a message of another thread, and the stored thread."""

        def convert(results: Sequence[Result]) -> tuple[str | None, Thread | None]:
            taken = results[0].rows
            return (taken[0][0] if taken else None), _get_thread(results[1])

        statements = [condition.find_taken_id(), Statement(_BY_ID, (condition.thread.id,))]
        return await self._database.execute(statements, convert)

    async def _fetch_page(
        self,
        select: PagedSelect,
        query: ThreadQuery | MessageQuery,
        parse_row: Callable[[Any], Any],
    ) -> Page[Any]:
        limit = self._limit_read(query.max_bytes)
        statements = select.build(
            query.per_page, query.offset, descending=query.descending, max_bytes=limit
        )

        def convert(results: Sequence[Result]) -> Page[Any]:
            items, total = select.parse(results, parse_row, limit)
            return Page(items=items, total=total)

        return await self._database.execute(statements, convert)

    def _limit_read(self, max_bytes: int | None) -> int | None:
        return find_read_limit(max_bytes, self._database.max_read_bytes)

    def _build_inserts(
        self, messages: Sequence[StoredMessage], condition: AppendCondition
    ) -> Iterator[Statement]:
        """Yield statements that store messages, with several messages in each statement."""
        for start in range(0, len(messages), _ROWS_PER_INSERT):
            part = messages[start : start + _ROWS_PER_INSERT]
            values: list[Any] = []
            for message in part:
                row = to_message_row(message)
                check_row_size(row, f"message {message.id!r}", self._database.max_row_bytes)
                values += row
            insert = condition.add_to(Statement(_build_insert(len(part)), values))
            yield insert._replace(sql=f"{insert.sql} {_ON_SAME_ID}")

    def _fits_row(self, history: History) -> bool:
        """Return whether a history fits into a row; a larger history is not stored."""
        maximum = self._database.max_row_bytes
        return maximum is None or len(history.data) <= maximum

    def _to_thread_row(self, thread: Thread) -> tuple[Any, ...]:
        row = to_thread_row(thread)
        check_row_size(row, f"thread {thread.id!r}", self._database.max_row_bytes)
        return row


@functools.lru_cache(maxsize=64)
def _build_insert(count: int) -> str:
    return _INSERT_MESSAGES.format(", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * count))


def _build_conflict(message_id: str) -> Conflict:
    return Conflict(f"Another thread already has a message with the id {message_id!r}.")


def _get_thread(result: Result) -> Thread | None:
    return parse_thread(result.rows[0][:-1]) if result.rows else None


def _get_history(result: Result) -> History | None:
    if not result.rows:
        return None
    agent, data, messages = result.rows[0]
    return History(agent=agent, data=data, messages=messages)


def _take_newest(rows: Iterable[tuple[Any, ...]], max_bytes: int) -> tuple[StoredMessage, ...]:
    """Return the newest messages that one run may receive, oldest first."""
    messages: list[StoredMessage] = []
    size = 0
    for row in rows:
        size += estimate_row_size(row)
        if messages and size > max_bytes:
            break
        messages.append(parse_message(row))
    return tuple(reversed(messages))


def _parse_messages(rows: Iterable[tuple[Any, ...]], size: PageSize) -> Iterator[StoredMessage]:
    for row in rows:
        size.add(estimate_row_size(row))
        yield parse_message(row)
