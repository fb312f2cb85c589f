"""Suspended runs in an SQLite file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from mastra_core.agents.suspended_runs import (
    SuspendedRun,
    SuspendedRunPage,
    SuspendedRunQuery,
    build_error,
    select_single,
)
from mastra_core.limits.shares import Shares
from mastra_core.schema import encode_json
from mastra_core.storage.sqlite_file import SqliteFile
from mastra_core.storage.sqlite_select import PagedSelect

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ("SqliteSuspendedRuns",)

_PUT = """INSERT OR REPLACE INTO mastra_suspended_runs
    (id, agent, resource, thread, calls, caller, suspended_at, size, data)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_DELETE = "DELETE FROM mastra_suspended_runs WHERE agent = ? AND resource = ? AND id = ?"
_SUM = """SELECT caller = ?, COUNT(*), SUM(size) FROM mastra_suspended_runs
    GROUP BY caller = ?"""
_GET = """SELECT data FROM mastra_suspended_runs
    WHERE agent = ? AND id = ? AND suspended_at >= ?"""
_WAITS_FOR = "EXISTS (SELECT 1 FROM json_each(calls) WHERE value = ?)"
_NEWEST_FIRST = "suspended_at {0}, rowid {0}"


class SqliteSuspendedRuns:
    """The ``SuspendedRuns`` of ``SqliteStorage``.

    :param file: the file.
    :param max_age: seconds after which a run is removed.
    :param limit: maximum number of stored runs, divided among the callers.
    :param max_bytes: maximum size of all stored runs, divided among the callers.
    """

    def __init__(self, file: SqliteFile, max_age: float, limit: int, max_bytes: int) -> None:
        self._file = file
        self._max_age = max_age
        self._limit = limit
        self._max_bytes = max_bytes

    async def put(self, run: SuspendedRun) -> None:
        """Store a run, and replace a stored run with the same key.

        :param run: the run.
        :raises TooManyRuns: when its caller has too many suspended runs, or too large ones.
        """
        row = _to_row(run)

        def work(sql: Connection) -> None:
            sql.execute(
                "DELETE FROM mastra_suspended_runs WHERE suspended_at < ?",
                (self._get_oldest_time(),),
            )
            sql.execute(_DELETE, (run.agent_id, run.run_input.resource, run.run_id))
            if not run.resumed:
                self._check_share(sql, run.caller, len(row[-1]))
            sql.execute(_PUT, row)

        await self._file.write(work)

    async def get(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        """Return a run and keep it in the store.

        :param agent_id: id of the agent.
        :param run_id: id of the run.
        :param resource: owner of the run; ``None`` for any.
        :raises NotFound: when there is none.
        :raises Conflict: when the resource is ``None``, and several resources have such a run.
        """
        return await self._file.read(lambda sql: self._read_run(sql, agent_id, run_id, resource))

    async def take(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        """Return a run and remove it from the store; only one of two callers gets it.

        :param agent_id: id of the agent.
        :param run_id: id of the run.
        :param resource: owner of the run; ``None`` for any.
        :raises NotFound: when there is none.
        :raises Conflict: when the resource is ``None``, and several resources have such a run.
        """

        def work(sql: Connection) -> SuspendedRun:
            run = self._read_run(sql, agent_id, run_id, resource)
            sql.execute(_DELETE, (agent_id, run.run_input.resource, run_id))
            return run

        return await self._file.write(work)

    async def list(self, query: SuspendedRunQuery) -> SuspendedRunPage:
        """Return the runs that match a query, newest first.

        :param query: the query.
        """
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
        select = PagedSelect("mastra_suspended_runs", "data", known, _NEWEST_FIRST)

        def work(sql: Connection) -> SuspendedRunPage:
            runs, total = select.fetch_page(
                sql,
                _decode_run,
                query.per_page,
                query.offset,
                descending=True,
                max_bytes=query.max_bytes,
            )
            return SuspendedRunPage(items=runs, total=total)

        return await self._file.read(work)

    def _read_run(
        self, sql: Connection, agent_id: str, run_id: str, resource: str | None
    ) -> SuspendedRun:
        oldest_time = self._get_oldest_time()
        if resource is None:
            rows = sql.execute(f"{_GET} LIMIT 2", (agent_id, run_id, oldest_time))
        else:
            rows = sql.execute(
                f"{_GET} AND resource = ?", (agent_id, run_id, oldest_time, resource)
            )
        return _decode_run(select_single(rows.fetchall(), run_id))

    def _check_share(self, sql: Connection, caller: str, size: int) -> None:
        """Raise an error if the caller may not store another run of this size."""
        places, held_bytes = Shares(self._limit), Shares(self._max_bytes)
        for is_own, number, total in sql.execute(_SUM, (caller, caller)):
            places.hold(caller if is_own else "", number)
            held_bytes.hold(caller if is_own else "", total)
        if not (places.fits(caller) and held_bytes.fits(caller, size)):
            raise build_error(self._limit - places.free)

    def _get_oldest_time(self) -> int:
        return int((time.time() - self._max_age) * 1000)


def _to_row(run: SuspendedRun) -> tuple[Any, ...]:
    data = encode_json(run)
    calls = encode_json([event.id for event in run.waiting]).decode()
    run_input = run.run_input
    names = (run.run_id, run.agent_id, run_input.resource, run_input.thread, calls, run.caller)
    return (*names, run.suspended_at, len(data), data)


def _decode_run(row: tuple[bytes]) -> SuspendedRun:
    return msgspec.json.decode(row[0], type=SuspendedRun)
