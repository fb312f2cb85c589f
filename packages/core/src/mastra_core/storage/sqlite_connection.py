"""A connection to an SQLite file, with the thread that uses the connection."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mastra_core.database.encodable_text import build_encoding_error
from mastra_core.database.sqlite_migration import migrate_sqlite
from mastra_core.database.table_versions import Schema
from mastra_core.errors import StorageError
from mastra_core.storage.sqlite_errors import build_moved_error, to_storage_error

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from sqlite3 import Connection

__all__ = ("SqliteConnection",)

T = TypeVar("T")


class SqliteConnection:
    """A connection to an SQLite file; a call opens the file if it is closed.

    The calls are executed one after another in one thread.

    :param path: path of the file; ``:memory:`` for a database in memory.
    :param busy_timeout: seconds to wait while another connection writes.
    :param schema: the tables, which the first use creates or migrates.
    :param leader: the connection whose file this connection must open too.
    :ivar answered_at: the time of the last successful transaction, of ``time.monotonic()``.
    """

    def __init__(
        self,
        path: str,
        busy_timeout: float,
        schema: Schema,
        leader: SqliteConnection | None = None,
    ) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._schema = schema
        self._leader = leader
        self._worker: ThreadPoolExecutor | None = None
        self._process = 0
        self._connection: Connection | None = None  # used only by the worker
        self._full_path = ""  # as of the connection; the process may change its directory
        self._file_number: int | None = None  # of the open file; None for a database in memory
        self.answered_at = -math.inf

    async def run_transaction(self, begin: str, work: Callable[[Connection], T]) -> T:
        """Call a function in a transaction, and return its result.

        The transaction stores everything or nothing.

        :param begin: the statement that begins the transaction.
        :param work: uses the connection.
        :raises InvalidInput: when UTF-8 cannot encode a text.
        :raises StorageError: when the file cannot be used.
        """
        import asyncio

        loop, worker = asyncio.get_running_loop(), self._get_worker()
        return await loop.run_in_executor(worker, lambda: self._run_transaction(begin, work))

    async def close(self) -> None:
        """Finish the pending calls and close the file."""
        worker, self._worker = self._worker, None
        if worker is not None and self._process == os.getpid():
            import asyncio

            worker.submit(self._disconnect)
            await asyncio.to_thread(worker.shutdown)

    def _get_worker(self) -> ThreadPoolExecutor:
        if self._worker is None or self._process != os.getpid():  # threads do not outlive a fork
            from concurrent.futures import ThreadPoolExecutor

            self._worker = ThreadPoolExecutor(1, thread_name_prefix="mastra-sqlite")
            self._process = os.getpid()
            self._connection = None
        return self._worker

    def _run_transaction(self, begin: str, work: Callable[[Connection], T]) -> T:
        _require_sqlite(self._path)
        import sqlite3

        try:
            if self._connection is None:
                if self._leader is not None:
                    self._leader.refuse_moved_file()
                self._connection = self._connect()
                self._full_path = os.path.abspath(self._path)  # noqa: PTH100  # pathlib is slow
                self._file_number = _read_file_number(self._full_path)
            self.refuse_moved_file()
            result = _execute_transaction(self._connection, begin, work)
        except sqlite3.Error as error:
            raise to_storage_error(error, self._path) from None
        except UnicodeEncodeError as error:
            raise build_encoding_error(error) from None
        self.answered_at = time.monotonic()
        return result

    def refuse_moved_file(self) -> None:
        """Refuse a file that was deleted or replaced, because its data would end with the process.

        SQLite itself compares the numbers of the files only if the journal is not in WAL mode.

        :raises StorageError: when the open file is no longer at its path.
        """
        number = self._file_number
        if number is not None and _read_file_number(self._full_path) != number:
            raise build_moved_error(self._full_path)

    def _connect(self) -> Connection:
        import sqlite3

        connection = sqlite3.connect(
            self._path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            _execute_when_free(connection, "PRAGMA journal_mode = WAL", self._busy_timeout)
            connection.execute("PRAGMA synchronous = NORMAL")  # in WAL a kill loses nothing
            connection.execute("PRAGMA foreign_keys = ON")
            migrate_sqlite(connection, self._schema, self._path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _disconnect(self) -> None:
        connection, self._connection, self._file_number = self._connection, None, None
        if connection is not None:
            connection.close()


def _require_sqlite(path: str) -> None:
    """Raise an error if this Python was built without SQLite."""
    try:
        import sqlite3  # noqa: F401  # only the import shows whether it works
    except ModuleNotFoundError:
        raise StorageError(
            f"{path!r} cannot be opened, because this Python was built without SQLite.",
            "Install a complete Python, or use a PostgreSQL database.",
        ) from None


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
