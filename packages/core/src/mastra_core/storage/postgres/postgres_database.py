"""Execute the statements of a storage on PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mastra_core.database.database_span import describe_database, trace_transaction
from mastra_core.database.postgres_pool import PostgresPool
from mastra_core.database.url import DatabaseUrl
from mastra_core.storage.postgres.postgres_schema import SCHEMA
from mastra_core.storage.postgres.postgres_text import decode_row, encode_value, translate_sql
from mastra_core.storage.sql_database import Lock, Result, Statement

if TYPE_CHECKING:
    from psycopg import AsyncConnection, AsyncCursor

__all__ = ("PostgresDatabase",)

T = TypeVar("T")
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_SHARED_LOCK = "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))"
_NOT_NULL_VIOLATION = "23502"  # an id was used by another thread at the same moment


_MAX_ROWS = 1000  # and the bytes of rows that are decoded in the event loop
_MAX_BYTES = 1024 * 1024


class PostgresDatabase:
    """The tables of a storage in a PostgreSQL database.

    :param url: the database.
    :param max_connections: maximum number of connections that each event loop may open.
    :raises ConfigError: when the URL names no PostgreSQL database.
    """

    max_row_bytes: int | None = None
    max_read_bytes: int | None = None

    def __init__(self, url: DatabaseUrl, max_connections: int) -> None:
        self.pool = PostgresPool(url, (SCHEMA,), max_connections=max_connections)
        self._traced = describe_database(url)

    async def close(self) -> None:
        """Close the connections; a later call opens them again."""
        await self.pool.close()

    async def execute(
        self,
        statements: Sequence[Statement],
        convert: Callable[[Sequence[Result]], T],
        *,
        writes: bool = False,
        locks: Sequence[Lock] = (),
        is_conditional: bool = False,
    ) -> T:
        """Execute statements in one transaction, and convert their results.

        All statements are sent before the first result is read.

        :param statements: the statements.
        :param convert: converts the results, one for each statement.
        :param writes: whether a statement changes data.
        :param locks: the locks that the call acquires first, in this order.
        :param is_conditional: whether the transaction is rolled back if the last statement changes
            no row. The rollback is necessary because another transaction may commit between two
            statements, and change whether their condition holds.
        :raises StorageError: when the database cannot be used.
        """

        async def work(connection: AsyncConnection[Any]) -> list[Result]:
            async with connection.pipeline():
                if not writes:
                    await connection.execute(_SNAPSHOT)
                for lock in locks:
                    await connection.execute(
                        _SHARED_LOCK if lock.is_shared else _LOCK, (encode_value(lock.name),)
                    )
                cursors = [await _send(connection, each) for each in statements]
            results = [await _receive(cursor) for cursor in cursors]
            if is_conditional and not results[-1].changes:
                raise _Unchanged(results)
            return results

        with trace_transaction(self._traced, (each.sql for each in statements)):
            try:
                results = await self.pool.run(
                    work,
                    repeat_on=[_NOT_NULL_VIOLATION],
                    writes=writes,
                    scans=any(each.scans for each in statements),
                )
            except _Unchanged as unchanged:
                results = unchanged.results
        if any(map(_is_large, results)):  # the decoding would block the event loop
            return await asyncio.to_thread(_convert_rows, results, convert)
        return _convert_rows(results, convert)


def _convert_rows(results: Sequence[Result], convert: Callable[[Sequence[Result]], T]) -> T:
    return convert([each._replace(rows=[*map(decode_row, each.rows)]) for each in results])


def _is_large(result: Result) -> bool:
    """Return whether the rows of a result take long to decode."""
    if len(result.rows) > _MAX_ROWS:
        return True
    values = itertools.chain.from_iterable(result.rows)
    return sum(len(each) for each in values if isinstance(each, bytes)) > _MAX_BYTES


class _Unchanged(Exception):
    """The last statement has changed no row, so the transaction is rolled back.

    :param results: the results of the statements.
    """

    def __init__(self, results: list[Result]) -> None:
        super().__init__()
        self.results = results


async def _send(connection: AsyncConnection[Any], statement: Statement) -> AsyncCursor[Any]:
    sql, values = statement.sql, list(map(encode_value, statement.values))
    if statement.max_bytes is not None:
        sql = statement.limited_sql
        values.append(statement.max_bytes)
    return await connection.execute(translate_sql(sql), values)


async def _receive(cursor: AsyncCursor[Any]) -> Result:
    if cursor.description is None:
        return Result((), cursor.rowcount)
    return Result(await cursor.fetchall(), cursor.rowcount)
