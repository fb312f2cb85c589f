"""Suspended runs in a database that understands the SQL of SQLite."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from mastra_core.agents.suspended_runs import (
    SuspendedRun,
    SuspendedRunPage,
    SuspendedRunQuery,
    SuspendedRuns,
    build_error,
    check_replacement,
    select_single,
)
from mastra_core.arguments.number_checks import check_count, check_seconds
from mastra_core.database.unreadable_data import build_unreadable_error
from mastra_core.errors import UnreadableData
from mastra_core.json_repair import repair_text
from mastra_core.logger import get_logger
from mastra_core.override import override
from mastra_core.schema import encode_json
from mastra_core.storage.sql_database import Lock, Result, SqlDatabase, Statement
from mastra_core.storage.sql_rows import check_row_size, encode_names
from mastra_core.storage.sql_select import PagedSelect, RowSelect, find_read_limit

__all__ = ("SqlSuspendedRuns",)

_COLUMNS = "id, agent, resource, thread, calls, caller, suspended_at, size, data"
_KEY = "agent = ? AND resource = ? AND id = ?"


def _build_limit(capacity: str, total: str, own: str, amount: str) -> str:
    """Return the condition of ``Shares.fits`` in SQL, so that check and change are one statement.

    :param capacity: the maximum of all callers together.
    :param total: the sum that all callers hold.
    :param own: the part of the sum that the caller holds.
    :param amount: the amount that the caller would hold in addition.
    """
    remaining = f"{capacity} - {total} - {amount}"
    return f"{remaining} >= 0 AND (caller = '' OR {own} = 0 OR {own} + {amount} <= {remaining})"


# ``run`` is the row to store, and ``stored`` sums up the other rows. A resumed run has been counted
# before, so it is stored without a check.
_PUT = f"""INSERT INTO mastra_suspended_runs ({_COLUMNS})
    SELECT {_COLUMNS} FROM (
        SELECT ? AS id, ? AS agent, ? AS resource, ? AS thread, ? AS calls, ? AS caller,
            ? AS suspended_at, ? AS size, ? AS data, ? AS resumed,
            ? AS max_runs, ? AS max_bytes) AS run
    CROSS JOIN (
        SELECT count(*) AS runs, coalesce(sum(size), 0) AS bytes,
            count(CASE WHEN caller = ? THEN 1 END) AS own_runs,
            coalesce(sum(CASE WHEN caller = ? THEN size END), 0) AS own_bytes
        FROM mastra_suspended_runs WHERE NOT ({_KEY})) AS stored
    WHERE resumed OR ({_build_limit("max_runs", "runs", "own_runs", "1")}
        AND {_build_limit("max_bytes", "bytes", "own_bytes", "size")})
    ON CONFLICT (agent, id, resource) DO UPDATE SET thread = excluded.thread,
    calls = excluded.calls, caller = excluded.caller, suspended_at = excluded.suspended_at,
    size = excluded.size, data = excluded.data
    WHERE mastra_suspended_runs.thread = excluded.thread OR ?"""
_GET_THREAD = f"SELECT thread FROM mastra_suspended_runs WHERE {_KEY}"
_LOCK = Lock("mastra_suspended_runs")  # so that the limits hold
_DELETE_OLD = "DELETE FROM mastra_suspended_runs WHERE suspended_at < ?"
_COUNT = "SELECT count(*) AS total FROM mastra_suspended_runs"
_FOUND = """agent = ? AND id = ? AND suspended_at >= ? AND resource = coalesce(?, resource)"""
_GET = f"SELECT data, id FROM mastra_suspended_runs WHERE {_FOUND} LIMIT 2"
_TAKE = f"""DELETE FROM mastra_suspended_runs WHERE {_FOUND}
    AND (SELECT count(*) FROM mastra_suspended_runs WHERE {_FOUND}) = 1"""
_WAITS_FOR = "EXISTS (SELECT 1 FROM json_each(calls) WHERE value = ?)"
_ROWS = RowSelect(
    "mastra_suspended_runs",
    "data, id",
    size="size",
    order="suspended_at {0}, rowid {0}",
    keys=("suspended_at", "size", "rowid"),
)


class SqlSuspendedRuns(SuspendedRuns):
    """The ``SuspendedRuns`` of a database that understands the SQL of SQLite.

    :param database: the database.
    :param max_age: seconds after which a run is removed.
    :param limit: maximum number of stored runs, divided among the callers.
    :param max_bytes: maximum size of all stored runs, divided among the callers.
    :raises ConfigError: for an invalid number.
    """

    def __init__(self, database: SqlDatabase, max_age: float, limit: int, max_bytes: int) -> None:
        check_seconds(f"max_suspended_age={max_age!r}", max_age, allows_zero=True)
        check_count("max_suspended_runs", limit, least=0)
        check_count("max_suspended_bytes", max_bytes, least=0)
        self._database = database
        self._max_age = max_age
        self._limit = limit
        self._max_bytes = max_bytes

    @override
    async def put(self, run: SuspendedRun) -> None:
        row = _to_row(run)
        check_row_size(row, f"suspended run {run.run_id!r}", self._database.max_row_bytes)
        key = (run.agent_id, run.run_input.resource, run.run_id)
        limits = (run.resumed, self._limit, self._max_bytes)
        statements = [
            Statement(_DELETE_OLD, (self._get_oldest_time(),)),
            Statement(_GET_THREAD, key),
            Statement(_PUT, (*row, *limits, run.caller, run.caller, *key, run.resumed)),
            Statement(_COUNT),
        ]

        def check(results: Sequence[Result]) -> None:
            for (thread,) in results[1].rows:
                check_replacement(run, thread)
            if not results[2].changes:
                raise build_error(results[3].rows[0][0])

        await self._database.execute(statements, check, writes=True, locks=[_LOCK])

    @override
    async def get(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        statement = Statement(_GET, self._build_key(agent_id, run_id, resource))
        return await self._database.execute(
            [statement], lambda results: _decode_run(select_single(results[0].rows, run_id))
        )

    @override
    async def take(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        key = self._build_key(agent_id, run_id, resource)
        statements = [Statement(_GET, key), Statement(_TAKE, (*key, *key))]

        def convert(results: Sequence[Result]) -> SuspendedRun:
            rows = results[0].rows
            is_taken = results[1].changes == 1 or len(rows) > 1
            return _decode_run(select_single(rows if is_taken else (), run_id))

        return await self._database.execute(statements, convert, writes=True)

    @override
    async def list(self, query: SuspendedRunQuery) -> SuspendedRunPage:
        conditions = [
            ("agent = ?", query.agent),
            ("resource = ?", query.resource),
            ("thread = ?", query.thread),
            (_WAITS_FOR, query.call),
            ("suspended_at >= ?", query.since),
            ("suspended_at <= ?", query.until),
            ("suspended_at >= ?", self._get_oldest_time()),
        ]
        known = [(condition, value) for condition, value in conditions if value is not None]
        select = PagedSelect(_ROWS, known)
        limit = find_read_limit(query.max_bytes, self._database.max_read_bytes)
        statements = select.build(query.per_page, query.offset, descending=True, max_bytes=limit)

        def convert(results: Sequence[Result]) -> SuspendedRunPage:
            runs, total = select.parse(results, _decode_listed_run, limit)
            return SuspendedRunPage(items=tuple(filter(None, runs)), total=total)

        return await self._database.execute(statements, convert)

    def _build_key(self, agent_id: str, run_id: str, resource: str | None) -> tuple[Any, ...]:
        return (agent_id, run_id, self._get_oldest_time(), resource)

    def _get_oldest_time(self) -> int:
        return int((time.time() - self._max_age) * 1000)


def _to_row(run: SuspendedRun) -> tuple[Any, ...]:
    data = encode_json(run)
    calls = encode_names(repair_text(event.id) for event in run.waiting)
    run_input = run.run_input
    names = (run.run_id, run.agent_id, run_input.resource, run_input.thread, calls, run.caller)
    return (*names, run.suspended_at, len(data), data)


def _decode_run(row: tuple[bytes, str]) -> SuspendedRun:
    data, run_id = row
    try:
        return msgspec.json.decode(data, type=SuspendedRun)
    except msgspec.DecodeError as error:
        raise build_unreadable_error(f"The suspended run {run_id!r}", error) from None


def _decode_listed_run(row: tuple[bytes, str]) -> SuspendedRun | None:
    """Decode a run of a list; leave out a damaged run, so that callers can decide the others."""
    try:
        return _decode_run(row)
    except UnreadableData as error:
        get_logger("mastra.storage").warning("%s", error.message)
        return None
