"""Build queries that return pages, and queries whose rows are limited by their size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mastra_core.limits.memory_size import estimate_json_size, estimate_size
from mastra_core.limits.page_size import PageSize
from mastra_core.storage.sql_database import Result, Statement

__all__ = ("HAS_METADATA", "PagedSelect", "RowSelect", "estimate_row_size", "find_read_limit")

T = TypeVar("T")
_MAX_NUMBER = 2**52  # D1 refuses the BigInt that a number near 2**53 becomes in Pyodide

_KIND = "CASE WHEN type IN ('true', 'false', 'integer', 'real') THEN 'number' ELSE type END"
_OWN_NODES = f"""SELECT fullkey, {_KIND}, atom FROM json_tree(
    CASE WHEN own.type IN ('array', 'object') THEN own.value ELSE 'null' END)"""
_WANTED_NODES = f"""SELECT fullkey, {_KIND}, atom FROM json_tree(
    CASE WHEN wanted.type IN ('array', 'object') THEN wanted.value ELSE 'null' END)"""
# Whether the column ``metadata`` has all keys and values of a JSON object, as
# ``matches_metadata`` defines it. Two lists or objects are equal if they have the same nodes.
HAS_METADATA = f"""NOT EXISTS (
    SELECT 1 FROM (SELECT key, type, {_KIND} AS kind, atom, value FROM json_each(?)) AS wanted
    WHERE NOT EXISTS (
        SELECT 1 FROM (
            SELECT key, type, {_KIND} AS kind, atom, value FROM json_each(CAST(metadata AS TEXT))
        ) AS own
        WHERE own.key = wanted.key AND own.kind = wanted.kind AND own.atom IS wanted.atom
        AND NOT EXISTS ({_OWN_NODES} EXCEPT {_WANTED_NODES})
        AND NOT EXISTS ({_WANTED_NODES} EXCEPT {_OWN_NODES})))"""


class RowSelect:
    """A query for rows whose total size may be limited.

    :param table: name of the table.
    :param columns: names of the columns.
    :param size: an SQL expression for the size of a row.
    :param order: the columns to sort by, with ``{0}`` in place of the direction.
    :param keys: the columns in ``order`` that are not in ``columns``.
    """

    def __init__(
        self, table: str, columns: str, *, size: str, order: str, keys: Sequence[str] = ()
    ) -> None:
        self.table = table
        self._columns = columns
        self._inner_columns = ", ".join((columns, *keys))
        self._size = size
        self._order = order
        self._texts: dict[tuple[str, bool], tuple[str, str]] = {}

    def build(
        self,
        where: str,
        values: Sequence[Any],
        *,
        limit: int | None,
        offset: int = 0,
        descending: bool = False,
        max_bytes: int | None = None,
    ) -> Statement:
        """Build the statement.

        :param where: the condition.
        :param values: the values of the condition.
        :param limit: maximum number of rows; ``None`` for all.
        :param offset: number of rows to skip.
        :param descending: whether the greatest row is first.
        :param max_bytes: maximum total size of the rows; the row that exceeds this size is returned
            as the last one.
        """
        sql, limited_sql = self._build_sql(where, descending)
        bounds = (_MAX_NUMBER if limit is None else limit, offset)
        return Statement(sql, [*map(_limit_number, (*values, *bounds))], max_bytes, limited_sql)

    def _build_sql(self, where: str, descending: bool) -> tuple[str, str]:
        """Build the SQL of the query, without and with a limit for the size of its rows."""
        known = self._texts.get((where, descending))
        if known is not None:
            return known
        order = self._order.format("DESC" if descending else "ASC")
        rows = f"FROM {self.table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
        limited_sql = f"""SELECT {self._columns} FROM (
            SELECT *, sum({self._size}) OVER (ORDER BY {order}) - ({self._size}) AS bytes_before
            FROM (SELECT {self._inner_columns} {rows}) AS rows_of_page)
            AS page WHERE bytes_before <= ? ORDER BY {order}"""
        texts = f"SELECT {self._columns} {rows}", limited_sql
        self._texts[where, descending] = texts  # there are few conditions, all constants
        return texts


class PagedSelect:
    """A query that returns a page; its SQL contains only constants, and all values are bound.

    :param rows: the query that selects the rows of a page.
    :param conditions: the conditions, each with its value, or with a tuple of its values.
    """

    def __init__(self, rows: RowSelect, conditions: Sequence[tuple[str, Any]]) -> None:
        self._rows = rows
        self._where = " AND ".join(condition for condition, _ in conditions) or "true"
        self._values: list[Any] = []
        for _, value in conditions:
            values = value if isinstance(value, tuple) else (value,)
            self._values += map(_limit_number, values)

    def build(
        self, per_page: int | None, offset: int, *, descending: bool, max_bytes: int | None
    ) -> tuple[Statement, Statement]:
        """Build the statements that count all rows and return those of the page.

        :param per_page: rows in a page; ``None`` for all.
        :param offset: number of rows before the page.
        :param descending: whether the greatest row is first.
        :param max_bytes: maximum size of the page; ``None`` for no maximum.
        """
        count = f"SELECT count(*) AS total FROM {self._rows.table} WHERE {self._where}"
        rows = self._rows.build(
            self._where,
            self._values,
            limit=per_page,
            offset=offset,
            descending=descending,
            max_bytes=max_bytes,
        )
        return Statement(count, self._values, scans=True), rows._replace(scans=True)

    @staticmethod
    def parse(
        results: Sequence[Result], parse_row: Callable[[Any], T], max_bytes: int | None
    ) -> tuple[tuple[T, ...], int]:
        """Return the records of the page, and the total number of records.

        :param results: the results of the two statements.
        :param parse_row: converts a row to a record.
        :param max_bytes: maximum size of the page; ``None`` for no maximum.
        :raises InvalidInput: when the page is larger than ``max_bytes``.
        """
        size = PageSize(max_bytes)
        items = []
        for row in results[1].rows:
            size.add(estimate_row_size(row))
            items.append(parse_row(row))
        return tuple(items), results[0].rows[0][0]


def find_read_limit(*limits: int | None) -> int | None:
    """Return the smallest of several size limits; ``None`` if there is no limit.

    :param limits: sizes in bytes; ``None`` for no limit.
    """
    return min((each for each in limits if each is not None), default=None)


def _limit_number(value: Any) -> Any:
    """Limit a number in a condition to the range that every database accepts."""
    if isinstance(value, int):
        return min(max(value, -_MAX_NUMBER), _MAX_NUMBER)
    return value


def estimate_row_size(row: tuple[Any, ...]) -> int:
    """Estimate the memory that a row takes after its JSON is decoded, in bytes.

    :param row: the row.
    """
    sizes = (
        estimate_json_size(value) if isinstance(value, bytes) else estimate_size(value)
        for value in row
    )
    return sum(sizes)
