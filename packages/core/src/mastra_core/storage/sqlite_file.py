"""Access an SQLite file from threads, so that the event loop never waits for the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mastra_core.database.database_span import TracedDatabase, trace_transaction
from mastra_core.database.table_versions import Schema
from mastra_core.storage.sql_database import Lock, Result, Statement
from mastra_core.storage.sqlite_connection import SqliteConnection
from mastra_core.storage.sqlite_schema import SCHEMA

if TYPE_CHECKING:
    from sqlite3 import Connection, Cursor

__all__ = ("SqliteFile",)

T = TypeVar("T")
_RECENT_SECONDS = 5  # after an answer, the file counts as available


class SqliteFile:
    """The connections to an SQLite file; a call opens the file if it is closed.

    Statements that may read a whole table use a connection and a thread of their own, so that the
    other calls do not wait for them. A database in memory has one connection.

    :param path: path of the file; ``:memory:`` for a database in memory.
    :param busy_timeout: seconds to wait while another process writes.
    :param schema: the tables, which the first use creates or migrates.
    """

    max_row_bytes: int | None = None
    max_read_bytes: int | None = None

    def __init__(
        self,
        path: str,
        busy_timeout: float,
        schema: Schema = SCHEMA,
    ) -> None:
        self.path = path
        self.traced = TracedDatabase("sqlite", Path(path).name)
        self._connection = SqliteConnection(path, busy_timeout, schema)
        self._scan_connection = self._connection
        if path not in (":memory:", ""):  # each connection to these paths has a database of its own
            self._scan_connection = SqliteConnection(path, busy_timeout, schema, self._connection)

    async def execute(
        self,
        statements: Sequence[Statement],
        convert: Callable[[Sequence[Result]], T],
        *,
        writes: bool = False,
        locks: Sequence[Lock] = (),  # noqa: ARG002  # a file has one writer at a time
        is_conditional: bool = False,  # noqa: ARG002  # nobody writes in between
    ) -> T:
        """Execute statements in one transaction, and convert their results in the same thread.

        :param statements: the statements.
        :param convert: converts the results, one for each statement.
        :param writes: whether a statement changes data.
        :param locks: ignored, because there is one writer at a time.
        :param is_conditional: ignored, because no other caller can write between two statements.
        :raises InvalidInput: when UTF-8 cannot encode a text.
        :raises StorageError: when the file cannot be used.
        """

        def work(connection: Connection) -> T:
            return convert([_execute_statement(connection, each) for each in statements])

        with trace_transaction(self.traced, (each.sql for each in statements)):
            if writes:
                return await self.write(work)
            return await self.read(work, scans=any(each.scans for each in statements))

    async def read(self, work: Callable[[Connection], T], *, scans: bool = False) -> T:
        """Call a function in a read transaction, and return its result.

        :param work: reads from the connection.
        :param scans: whether the function may read a whole table.
        :raises StorageError: when the file cannot be read.
        """
        connection = self._scan_connection if scans else self._connection
        return await connection.run_transaction("BEGIN", work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Call a function in a write transaction, and return its result.

        The transaction stores everything or nothing.

        :param work: reads from and writes to the connection.
        :raises StorageError: when the file cannot be written.
        """
        return await self._connection.run_transaction("BEGIN IMMEDIATE", work)

    async def check(self) -> None:
        """Check that the file can be read, unless a call has succeeded in the last five seconds.

        :raises StorageError: when the file cannot be read.
        """
        # While another process writes, a query would wait although the file works.
        if time.monotonic() - self._connection.answered_at > _RECENT_SECONDS:
            await self.read(lambda connection: connection.execute("PRAGMA schema_version"))

    async def close(self) -> None:
        """Finish the pending calls and close the file."""
        await self._scan_connection.close()
        await self._connection.close()


def _execute_statement(connection: Connection, statement: Statement) -> Result:
    cursor = connection.execute(statement.sql, statement.values)
    if statement.max_bytes is None:
        return Result(cursor.fetchall(), cursor.rowcount)
    return Result(_fetch_rows(cursor, statement.max_bytes), cursor.rowcount)


def _fetch_rows(cursor: Cursor, max_bytes: int) -> list[tuple[Any, ...]]:
    """Fetch rows until their texts and bytes exceed a size."""
    rows, size = [], 0
    for row in cursor:
        rows.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if size > max_bytes:
            cursor.close()
            break
    return rows
