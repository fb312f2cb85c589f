"""Statements in the SQL of SQLite, and the protocol of a database that executes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

__all__ = ("Lock", "Result", "SqlDatabase", "Statement")

T = TypeVar("T")


class Statement(NamedTuple):
    """One SQL statement; all its values are bound.

    :param sql: the text, with ``?`` in place of each value.
    :param values: the values.
    :param max_bytes: maximum total size of the returned rows; ``None`` for no maximum. The row that
        exceeds this size is returned as the last one.
    :param limited_sql: the same query, which takes ``max_bytes`` as its last value, for a database
        that cannot stop reading in the middle of a result.
    :param scans: whether the statement may read a whole table, so that it takes long. A database
        with several connections should not let short statements wait for it.
    """

    sql: str
    values: Sequence[Any] = ()
    max_bytes: int | None = None
    limited_sql: str = ""
    scans: bool = False


class Result(NamedTuple):
    """The result of one statement.

    :param rows: the rows that the statement returned.
    :param changes: number of rows that the statement inserted, updated or deleted.
    """

    rows: Sequence[tuple[Any, ...]]
    changes: int


class Lock(NamedTuple):
    """A lock that a call holds until the end of its transaction.

    A database that executes one write at a time, such as SQLite, needs no locks.

    :param name: name of the lock.
    :param is_shared: whether the lock is shared: other calls may hold it at the same time if their
        lock is shared as well.
    """

    name: str
    is_shared: bool = False


class SqlDatabase(Protocol):
    """A database that executes the statements of a storage, such as a file or Cloudflare D1."""

    @property
    def max_row_bytes(self) -> int | None:
        """Maximum size of a row, ``None`` for no maximum."""

    @property
    def max_read_bytes(self) -> int | None:
        """Maximum size of the records that one call returns, ``None`` for no maximum."""

    async def execute(
        self,
        statements: Sequence[Statement],
        convert: Callable[[Sequence[Result]], T],
        *,
        writes: bool = False,
        locks: Sequence[Lock] = (),
        is_conditional: bool = False,
    ) -> T:
        """Execute statements in order, in one transaction, and convert their results.

        A database may commit before it calls ``convert``, so the statements may stay committed even
        if ``convert`` raises an exception.

        :param statements: the statements.
        :param convert: converts the results, one for each statement.
        :param writes: whether a statement changes data.
        :param locks: the locks that the call acquires first, in this order.
        :param is_conditional: whether the transaction is rolled back if the last statement changes
            no row.
        :raises StorageError: when the database cannot be used.
        """
