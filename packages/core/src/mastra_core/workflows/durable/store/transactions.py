"""Transactions as generators of queries, which every SQL database can execute.

A transaction yields its queries, and receives the rows of each query. A database executes
transactions: SQLite in a worker thread, PostgreSQL with an asynchronous driver.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

__all__ = ("Queries", "Query", "RunDatabase", "record_queries")

T = TypeVar("T")


class Query(NamedTuple):
    """One SQL statement.

    A database without interactive transactions executes a query and its dependents as one batch. In
    such a database, a transaction that must be atomic consists of a single query and its
    dependents.

    :param sql: the text, with ``?`` in place of each value.
    :param values: the values of the statement; if ``many`` is set, one sequence of values for each
        execution.
    :param many: whether the statement is executed once for each element of ``values``.
    :param dependents: queries that are executed only if this query returns a row.
    """

    sql: str
    values: Sequence[Any] = ()
    many: bool = False
    dependents: Sequence[Query] = ()


Queries = Generator[Query, Sequence[tuple[Any, ...]], T]


def record_queries(queries: Queries[T], texts: list[str] | None) -> Queries[T]:
    """Return a transaction that also adds the texts of its queries to a list.

    :param queries: the transaction.
    :param texts: the list, which is emptied first; ``None`` to record nothing.
    """
    return queries if texts is None else _record_queries(queries, texts)


def _record_queries(queries: Queries[T], texts: list[str]) -> Queries[T]:
    texts.clear()  # a transaction may be repeated
    try:
        query = next(queries)
        while True:
            texts += [query.sql, *(each.sql for each in query.dependents)]
            query = queries.send((yield query))
    except StopIteration as end:
        result: T = end.value
        return result


class RunDatabase(Protocol):
    """A database that executes transactions.

    :ivar kind: the kind of the database, such as ``postgresql``.
    :ivar has_locks: whether a transaction locks the rows that it changes. In a database without
        locks, only a query and its ``dependents`` are atomic.
    :ivar now: an SQL expression for the present time, in milliseconds since the epoch.
    :ivar skip_locked: the SQL clause with which a subquery skips rows that other transactions have
        locked.
    :ivar notification: an SQL statement that tells all processes that runs have changed; empty if
        the database cannot tell them.
    """

    kind: str
    single_process: bool
    has_locks: bool
    now: str
    skip_locked: str
    notification: str

    def copy(self) -> RunDatabase:
        """Return a copy for another thread, which opens its own connections to the database."""

    async def open(self) -> None:
        """Connect, and create or migrate the tables.

        :raises StorageError: when the database cannot be used.
        """

    async def check(self) -> None:
        """Check that the database answers, unless it has answered in the last few seconds.

        :raises StorageError: when the database cannot be used.
        """

    async def close(self) -> None:
        """Close the connections; a later call opens them again."""

    def listen(self) -> AsyncIterator[None]:
        """Yield after each notification; end at once if the database has no notifications.

        :raises StorageError: when the connection is lost.
        """

    async def read(self, transact: Callable[[], Queries[T]], *, scans: bool = False) -> T:
        """Execute queries that change nothing, and return the generator's result.

        :param transact: returns the transaction; called again if the transaction is repeated.
        :param scans: whether a query may read all runs of a workflow, so that it takes long. A
            database with several connections should not let short calls wait for it.
        :raises StorageError: when the database cannot be used.
        """

    async def write(self, transact: Callable[[], Queries[T]]) -> T:
        """Execute a transaction, and return the generator's result.

        :param transact: returns the transaction; called again if the transaction is repeated.
        :raises StorageError: when the database cannot be used.
        """
