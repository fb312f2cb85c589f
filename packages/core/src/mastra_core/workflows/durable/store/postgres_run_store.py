"""Runs in a PostgreSQL database, which processes on several machines can share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mastra_core.database.database_span import describe_database, trace_transaction
from mastra_core.database.postgres_pool import PostgresPool
from mastra_core.database.url import DatabaseUrl, parse_database_url
from mastra_core.workflows.durable.store.run_schema import POSTGRES_SCHEMA
from mastra_core.workflows.durable.store.sql_run_store import SqlRunStore
from mastra_core.workflows.durable.store.transactions import Queries, Query, record_queries

if TYPE_CHECKING:
    from psycopg import AsyncConnection

__all__ = ("PostgresRunStore",)

T = TypeVar("T")
_CHANNEL = "mastra_runs"


class PostgresRunStore(SqlRunStore):
    """Stores runs in a PostgreSQL database; needs the extra ``mastra-core[postgres]``.

    :param url: the URL of the database.
    :param max_connections: the maximum number of connections that each event loop of this process
        may open.
    :raises ConfigError: when the URL names no PostgreSQL database.
    """

    def __init__(self, url: DatabaseUrl | str, *, max_connections: int = 10) -> None:
        parsed = parse_database_url(url) if isinstance(url, str) else url
        super().__init__(_PostgresRuns(parsed, max_connections))


class _PostgresRuns:
    kind = "postgresql"
    single_process = False
    has_locks = True
    now = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
    skip_locked = "FOR UPDATE SKIP LOCKED"
    notification = f"SELECT pg_notify('{_CHANNEL}', '')"

    def __init__(self, url: DatabaseUrl, max_connections: int) -> None:
        self._url = url
        self._traced = describe_database(url)
        self._pool = PostgresPool(url, [POSTGRES_SCHEMA], max_connections=max_connections)

    def copy(self) -> _PostgresRuns:
        return _PostgresRuns(self._url, 1)

    async def open(self) -> None:
        await self._pool.open()

    async def check(self) -> None:
        await self._pool.check()

    async def close(self) -> None:
        await self._pool.close()

    async def listen(self) -> AsyncIterator[None]:
        async for _ in self._pool.listen(_CHANNEL):
            yield

    async def read(
        self,
        transact: Callable[[], Queries[T]],
        *,
        scans: bool = False,
    ) -> T:
        with trace_transaction(self._traced) as texts:
            return await self._pool.run_in_autocommit(
                lambda connection: _execute(connection, record_queries(transact(), texts)),
                scans=scans,
            )

    async def write(self, transact: Callable[[], Queries[T]]) -> T:
        with trace_transaction(self._traced) as texts:
            return await self._pool.run(
                lambda connection: _execute(connection, record_queries(transact(), texts))
            )


async def _execute(connection: AsyncConnection[Any], queries: Queries[T]) -> T:
    try:
        query = next(queries)
        while True:
            query = queries.send(await _execute_query(connection, query))
    except StopIteration as end:
        result: T = end.value
        return result


async def _execute_query(
    connection: AsyncConnection[Any], query: Query
) -> Sequence[tuple[Any, ...]]:
    sql = query.sql.replace("?", "%s").encode()  # bytes may be no literal of the program
    if query.many:
        async with connection.cursor() as cursor:
            await cursor.executemany(sql, query.values)
        return ()
    result = await connection.execute(sql, query.values)
    rows = await result.fetchall() if result.description is not None else ()
    if rows:
        for dependent in query.dependents:
            await _execute_query(connection, dependent)
    return rows
