"""Runs in one SQLite file, which several processes of one machine may share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mastra_core.database.database_span import trace_transaction
from mastra_core.storage.sqlite_file import SqliteFile
from mastra_core.workflows.durable.store.run_schema import SQLITE_NOW, SQLITE_SCHEMA
from mastra_core.workflows.durable.store.sql_run_store import SqlRunStore
from mastra_core.workflows.durable.store.transactions import Queries, Query, record_queries

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ("SqliteRunStore",)

T = TypeVar("T")


class SqliteRunStore(SqlRunStore):
    """Stores runs in one SQLite file. A committed run survives a crash of the process.

    After a loss of power, the most recent commits may be missing.

    :param path: path of the file, which is created if it is missing; its directory must exist.
    :param busy_timeout: seconds to wait while another process writes.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = 10) -> None:
        super().__init__(_SqliteRuns(os.fspath(path), busy_timeout))


class _SqliteRuns:
    kind = "sqlite"
    has_locks = True
    now = SQLITE_NOW
    skip_locked = notification = ""

    def __init__(self, path: str, busy_timeout: float) -> None:
        self.single_process = path == ":memory:"
        self._path, self._busy_timeout = path, busy_timeout
        self._file = SqliteFile(path, busy_timeout, SQLITE_SCHEMA)

    def copy(self) -> _SqliteRuns:
        return self if self.single_process else _SqliteRuns(self._path, self._busy_timeout)

    async def open(self) -> None:
        await self._file.read(lambda _: None)

    async def check(self) -> None:
        await self._file.check()

    async def close(self) -> None:
        await self._file.close()

    async def listen(self) -> AsyncIterator[None]:
        return
        yield

    async def read(self, transact: Callable[[], Queries[T]], *, scans: bool = False) -> T:
        with trace_transaction(self._file.traced) as texts:
            return await self._file.read(
                lambda connection: _execute(connection, record_queries(transact(), texts)),
                scans=scans,
            )

    async def write(self, transact: Callable[[], Queries[T]]) -> T:
        with trace_transaction(self._file.traced) as texts:
            return await self._file.write(
                lambda connection: _execute(connection, record_queries(transact(), texts))
            )


def _execute(connection: Connection, queries: Queries[T]) -> T:
    try:
        query = next(queries)
        while True:
            query = queries.send(_execute_query(connection, query))
    except StopIteration as end:
        result: T = end.value
        return result


def _execute_query(connection: Connection, query: Query) -> Sequence[tuple[Any, ...]]:
    if query.many:
        connection.executemany(query.sql, query.values)
        return ()
    rows = connection.execute(query.sql, query.values).fetchall()
    if rows:
        for dependent in query.dependents:
            _execute_query(connection, dependent)
    return rows
