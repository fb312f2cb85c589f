"""Runs in a Cloudflare D1 database, which all instances of a Worker share.

D1 has no interactive transactions. D1 executes a query and the query's dependents as one batch,
which stores everything or nothing, and all other queries of a transaction one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, TypeVar

from mastra_core.errors import InvalidInput
from mastra_core.storage.d1_binding import D1Binding
from mastra_core.storage.d1_database import D1Database
from mastra_core.storage.sql_database import Statement
from mastra_core.workflows.durable.store.run_schema import SQLITE_NOW, SQLITE_SCHEMA
from mastra_core.workflows.durable.store.sql_run_store import SqlRunStore
from mastra_core.workflows.durable.store.transactions import Queries, Query

__all__ = ("D1RunStore",)

T = TypeVar("T")
_MAX_VALUES = 100  # of one statement; https://developers.cloudflare.com/d1/platform/limits/
_MAX_BYTES = 1_990_000  # of a value, because D1 limits a row to 2,000,000 bytes
_ROW = re.compile(r"VALUES (\((?:[^()]|\([^()]*\))*\))")
_JSON_LIST = "IN (SELECT value FROM json_each(?))"
_LIST = re.compile(r"IN \(\?((?:, \?)*)\)")


class D1RunStore(SqlRunStore):
    """Stores runs in a Cloudflare D1 database. Other instances see a change when they next query
    the store.

    :param binding: name of the Worker's binding, or an object with the methods of ``D1Binding``.
    :raises ConfigError: when the name is not a valid name of a binding.
    """

    def __init__(self, binding: str | D1Binding) -> None:
        super().__init__(_D1Runs(D1Database(binding, SQLITE_SCHEMA, ())))


class _D1Runs:
    kind = "d1"
    single_process = has_locks = False
    now = SQLITE_NOW
    skip_locked = notification = ""

    def __init__(self, database: D1Database) -> None:
        self._database = database

    def copy(self) -> _D1Runs:
        return self

    async def open(self) -> None:
        await self._database.open()

    async def check(self) -> None:
        """Do nothing, because each query counts toward the limits of a request."""

    async def close(self) -> None:
        """Do nothing, because the Worker owns the binding."""

    async def listen(self) -> AsyncIterator[None]:
        return
        yield

    async def read(
        self,
        transact: Callable[[], Queries[T]],
        *,
        scans: bool = False,  # noqa: ARG002  # D1 executes one query at a time
    ) -> T:
        return await self.write(transact)

    async def write(self, transact: Callable[[], Queries[T]]) -> T:
        queries = transact()
        try:
            query = next(queries)
            while True:
                query = queries.send(await self._execute(query))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _execute(self, query: Query) -> Sequence[tuple[Any, ...]]:
        statements = [*_build_statements(query)]
        dependents = [each for item in query.dependents for each in _build_statements(item)]
        _check_sizes([*statements, *dependents])
        if dependents:
            return await self._database.execute_guarded(statements[0], dependents)
        return await self._database.execute(
            statements, lambda results: results[0].rows, writes=not query.sql.startswith("SELECT")
        )


def _build_statements(query: Query) -> Iterator[Statement]:
    """Yield statements that bind few values: many rows per insert, and lists as JSON texts."""
    if not query.many:
        yield _bind_lists(query)
        return
    row = _ROW.search(query.sql)
    if row is None:
        for values in query.values:
            yield Statement(query.sql, values)
        return
    size = _MAX_VALUES // row[1].count("?")
    for start in range(0, len(query.values), size):
        rows = query.values[start : start + size]
        sql = query.sql.replace(row[1], ", ".join([row[1]] * len(rows)))
        yield Statement(sql, [value for values in rows for value in values])


def _bind_lists(query: Query) -> Statement:
    """Bind each list of values as one JSON text, because D1 allows few values in a statement."""
    values, sql, position, end = list[Any](), "", 0, 0
    for match in _LIST.finditer(query.sql):
        before, count = query.sql[end : match.start()], 1 + match[1].count("?")
        sql += before + _JSON_LIST
        first = position + before.count("?")
        values += query.values[position:first]
        values.append(json.dumps(query.values[first : first + count]))
        position, end = first + count, match.end()
    return Statement(sql + query.sql[end:], [*values, *query.values[position:]])


def _check_sizes(statements: Sequence[Statement]) -> None:
    """Raise ``InvalidInput`` for a value that is too large for D1, because no retry can succeed."""
    for statement in statements:
        for value in statement.values:
            if not isinstance(value, str) or 4 * len(value) <= _MAX_BYTES:
                continue
            size = len(value.encode())
            if size > _MAX_BYTES:
                raise InvalidInput(
                    f"One value in the run has {size} bytes, but D1 stores at most {_MAX_BYTES}.",
                    "Return smaller values from steps, and store files elsewhere, such as in R2.",
                )
