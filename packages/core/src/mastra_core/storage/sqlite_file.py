"""Access an SQLite file from one thread, so that the event loop never waits for the disk."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mastra_core.database.database_span import TracedDatabase, trace_transaction
from mastra_core.database.encodable_text import build_encoding_error
from mastra_core.database.sqlite_migration import migrate_sqlite
from mastra_core.database.table_versions import Schema
from mastra_core.storage.sql_database import Lock, Result, Statement
from mastra_core.storage.sqlite_errors import build_moved_error, to_storage_error
from mastra_core.storage.sqlite_schema import SCHEMA

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from sqlite3 import Connection, Cursor

__all__ = ("SqliteFile",)

T = TypeVar("T")
_RECENT_SECONDS = 5  # for which an answer shows that the file works


class SqliteFile:
    """A connection to an SQLite file; a call opens the file if it is closed.

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
        self._busy_timeout = busy_timeout
        self._schema = schema
        self.traced = TracedDatabase("sqlite", Path(path).name)
        self._worker: ThreadPoolExecutor | None = None
        self._process = 0
        self._connection: Connection | None = None  # used only by the worker
        self._full_path = ""  # as of the connection; the process may change its directory
        self._file_number: int | None = None  # of the open file; None for a database in memory
        self._answered_at = -math.inf  # of time.monotonic()

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
            return await (self.write(work) if writes else self.read(work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Call a function in a read transaction, and return its result.

        :param work: reads from the connection.
        :raises StorageError: when the file cannot be read.
        """
        return await self._run(lambda: self._run_transaction("BEGIN", work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Call a function in a write transaction, and return its result.

        The transaction stores everything or nothing.

        :param work: reads from and writes to the connection.
        :raises StorageError: when the file cannot be written.
        """
        return await self._run(lambda: self._run_transaction("BEGIN IMMEDIATE", work))

    async def check(self) -> None:
        """Check that the file can be read, unless a call has succeeded in the last five seconds.

        :raises StorageError: when the file cannot be read.
        """
        # While another process writes, a query would wait although the file works.
        if time.monotonic() - self._answered_at > _RECENT_SECONDS:
            await self.read(lambda connection: connection.execute("PRAGMA schema_version"))

    async def close(self) -> None:
        """Finish the pending calls and close the file."""
        worker, self._worker = self._worker, None
        if worker is not None and self._process == os.getpid():
            import asyncio

            worker.submit(self._disconnect)
            await asyncio.to_thread(worker.shutdown)

    async def _run(self, work: Callable[[], T]) -> T:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._get_worker(), work)

    def _get_worker(self) -> ThreadPoolExecutor:
        if self._worker is None or self._process != os.getpid():  # threads do not outlive a fork
            from concurrent.futures import ThreadPoolExecutor

            self._worker = ThreadPoolExecutor(1, thread_name_prefix="mastra-sqlite")
            self._process = os.getpid()
            self._connection = None
        return self._worker

    def _run_transaction(self, begin: str, work: Callable[[Connection], T]) -> T:
        import sqlite3

        try:
            if self._connection is None:
                self._connection = self._connect()
                self._full_path = os.path.abspath(self.path)  # noqa: PTH100  # pathlib is slow
                self._file_number = _read_file_number(self._full_path)
            self._refuse_moved_file()
            result = _execute_transaction(self._connection, begin, work)
        except sqlite3.Error as error:
            raise to_storage_error(error, self.path) from None
        except UnicodeEncodeError as error:
            raise build_encoding_error(error) from None
        self._answered_at = time.monotonic()
        return result

    def _refuse_moved_file(self) -> None:
        """Refuse a file that was deleted or replaced, because its data would end with the process.

        SQLite itself compares the numbers of the files only if the journal is not in WAL mode.
        """
        number = self._file_number
        if number is not None and _read_file_number(self._full_path) != number:
            raise build_moved_error(self._full_path)

    def _connect(self) -> Connection:
        import sqlite3

        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            _execute_when_free(connection, "PRAGMA journal_mode = WAL", self._busy_timeout)
            connection.execute("PRAGMA synchronous = NORMAL")  # in WAL a kill loses nothing
            connection.execute("PRAGMA foreign_keys = ON")
            migrate_sqlite(connection, self._schema, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _read_file_number(path: str) -> int | None:
    """Return the number of a file in its file system; ``None`` if there is no file."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116  # pathlib is slow
    except OSError:
        return None


def _execute_transaction(connection: Connection, begin: str, work: Callable[[Connection], T]) -> T:
    connection.execute(begin)
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have rolled back already
            connection.execute("ROLLBACK")
        raise
    return result


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


def _execute_when_free(connection: Connection, statement: str, seconds: float) -> None:
    """Execute a statement, and retry while another process locks the file.

    SQLite itself does not wait when two processes switch to WAL at the same time.
    """
    import sqlite3
    import time

    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
