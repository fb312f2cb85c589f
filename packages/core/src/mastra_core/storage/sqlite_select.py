"""Build and execute queries that return pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from mastra_core.limits.memory_size import estimate_json_size, estimate_size
from mastra_core.limits.page_size import PageSize

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ("PagedSelect", "estimate_row_size")

T = TypeVar("T")


class PagedSelect:
    """A query that returns pages; all its values are bound, and only constants are in the SQL.

    :param table: name of the table.
    :param columns: names of the columns.
    :param conditions: the conditions, each with its value, or with a tuple of its values.
    :param order: the columns to sort by, with ``{0}`` in place of the direction.
    """

    def __init__(
        self, table: str, columns: str, conditions: list[tuple[str, Any]], order: str
    ) -> None:
        where = " AND ".join(condition for condition, _ in conditions) or "1"
        self._from = f"FROM {table} WHERE {where}"
        self._columns = columns
        self._order = order
        self._values: list[Any] = []
        for _, value in conditions:
            self._values += value if isinstance(value, tuple) else [value]

    def fetch_page(
        self,
        sql: Connection,
        parse_row: Callable[[Any], T],
        per_page: int | None,
        offset: int,
        *,
        descending: bool,
        max_bytes: int | None = None,
    ) -> tuple[tuple[T, ...], int]:
        """Return the rows of one page, and the total number of rows.

        :param sql: the connection.
        :param parse_row: converts a row to a record.
        :param per_page: rows in a page; ``None`` for all.
        :param offset: how many rows precede the page.
        :param descending: whether the greatest row is first.
        :param max_bytes: maximum size of the page; ``None`` for no maximum.
        :raises InvalidInput: when the page is larger.
        """
        (total,) = sql.execute(f"SELECT count(*) {self._from}", self._values).fetchone()
        order = self._order.format("DESC" if descending else "ASC")
        rows = sql.execute(
            f"SELECT {self._columns} {self._from} ORDER BY {order} LIMIT ? OFFSET ?",
            [*self._values, -1 if per_page is None else per_page, offset],
        )
        size = PageSize(max_bytes)
        items = []
        for row in rows:
            size.add(estimate_row_size(row))
            items.append(parse_row(row))
        return tuple(items), total


def estimate_row_size(row: tuple[Any, ...]) -> int:
    """Estimate the memory that a row takes after its JSON is decoded, in bytes.

    :param row: the row.
    """
    sizes = (
        estimate_json_size(value) if isinstance(value, bytes) else estimate_size(value)
        for value in row
    )
    return sum(sizes)
