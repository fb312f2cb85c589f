"""Count the requests of callers in a database that several processes share."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mastra_core.database.url import DatabaseUrl, parse_database_url
from mastra_core.storage.sql_database import Result, Statement
from mastra_core.storage.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from mastra_core.storage.postgres.postgres_database import PostgresDatabase

__all__ = ("RequestCounts", "RequestUsage")

_PREVIOUS = """coalesce((SELECT requests FROM mastra_request_counts
    WHERE caller = ? AND starts_at = ?), 0)"""
_COUNT = f"""INSERT INTO mastra_request_counts (caller, starts_at, expires_at, requests)
    SELECT ?, ?, ?, 1 WHERE 1 + {_PREVIOUS} * ? <= ?
    ON CONFLICT (caller, starts_at) DO UPDATE SET requests = mastra_request_counts.requests + 1
    WHERE mastra_request_counts.requests + 1 + {_PREVIOUS} * ? <= ?"""
_READ = "SELECT starts_at, requests FROM mastra_request_counts WHERE caller = ? AND starts_at >= ?"
_CLEAN = "DELETE FROM mastra_request_counts WHERE expires_at < ?"
_CLEAN_RATE = 0.01  # of the requests that also delete old counts
_BUSY_SECONDS = 10


class RequestUsage(NamedTuple):
    """The number of requests of one caller, and whether its latest request is allowed.

    :param is_allowed: whether the request is within the limit, and was counted.
    :param requests: estimated number of requests in the moving window.
    :param resets_at: when the window in which requests are counted ends, seconds since the epoch.
    """

    is_allowed: bool
    requests: float
    resets_at: float


class RequestCounts:
    """The numbers of requests, in windows of fixed length.

    The number in a moving window is estimated: the requests of the present window, plus a share of
    the requests of the previous window.

    :param url: the database.
    :raises ConfigError: when the URL is invalid.
    """

    def __init__(self, url: str) -> None:
        self._database = _create_database(parse_database_url(url))

    async def count(self, caller: str, amount: int, seconds: int, now: float) -> RequestUsage:
        """Count a request, unless its caller has sent too many.

        :param caller: the key of the caller.
        :param amount: maximum number of requests in a window.
        :param seconds: length of a window.
        :param now: the time, seconds since the epoch.
        :raises StorageError: when the database cannot be used.
        """
        start = int(now // seconds) * seconds
        previous, weight = start - seconds, 1 - (now - start) / seconds
        key = f"{amount}/{seconds} {caller}"
        condition = (key, previous, weight, amount)
        row = (key, start, start + 2 * seconds)
        statements = [
            Statement(_COUNT, (*row, *condition, *condition)),
            Statement(_READ, (key, previous)),
        ]
        if random.random() < _CLEAN_RATE:  # noqa: S311  # no secret depends on it
            statements.append(Statement(_CLEAN, (int(now),)))

        def convert(results: Sequence[Result]) -> RequestUsage:
            counts = dict(results[1].rows)
            requests = counts.get(start, 0) + counts.get(previous, 0) * weight
            return RequestUsage(results[0].changes > 0, requests, start + seconds)

        return await self._database.execute(statements, convert, writes=True)

    async def open(self) -> None:
        """Open the database, and create or migrate its tables."""
        await self._database.execute([Statement("SELECT 1")], lambda _: None)

    async def close(self) -> None:
        """Close the database; a later call opens it again."""
        await self._database.close()


def _create_database(url: DatabaseUrl) -> SqliteFile | PostgresDatabase:
    if url.kind == "postgresql":
        from mastra_core.storage.postgres.postgres_database import PostgresDatabase

        return PostgresDatabase(url, max_connections=5)
    return SqliteFile(url.path, _BUSY_SECONDS)
