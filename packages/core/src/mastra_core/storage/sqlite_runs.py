"""Suspended runs in an SQLite file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from mastra_core.agents.suspended_runs import SuspendedRun, build_error
from mastra_core.errors import NotFound
from mastra_core.limits.shares import Shares
from mastra_core.storage.sqlite_file import SqliteFile
from mastra_core.storage.sqlite_rows import encode_json

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ("SqliteSuspendedRuns",)

_PUT = """INSERT OR REPLACE INTO mastra_suspended_runs (id, agent, suspended_at, data, caller, size)
    VALUES (?, ?, ?, ?, ?, ?)"""
_DELETE = "DELETE FROM mastra_suspended_runs WHERE id = ?"
_SUM = """SELECT caller = ?, COUNT(*), SUM(size) FROM mastra_suspended_runs
    GROUP BY caller = ?"""
_GET = "SELECT data FROM mastra_suspended_runs WHERE id = ? AND suspended_at >= ?"
_LIST = """SELECT data FROM mastra_suspended_runs WHERE agent = ? AND suspended_at >= ?
    ORDER BY suspended_at DESC, rowid DESC"""


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
        """Store a run; it replaces a run with the same id.

        :param run: the run.
        :raises TooManyRuns: when its caller has too many suspended runs, or too large ones.
        """
        data = encode_json(run)
        row = (run.run_id, run.agent_id, run.suspended_at, data, run.caller, len(data))

        def work(sql: Connection) -> None:
            sql.execute(
                "DELETE FROM mastra_suspended_runs WHERE suspended_at < ?",
                (self._get_oldest_time(),),
            )
            sql.execute(_DELETE, (run.run_id,))
            if not run.resumed:
                self._check_share(sql, run.caller, len(data))
            sql.execute(_PUT, row)

        await self._file.write(work)

    async def get(self, run_id: str) -> SuspendedRun:
        """Return a run and keep it in the store.

        :param run_id: id of the run.
        :raises NotFound: when there is none.
        """
        return _decode_run(run_id, await self._file.read(lambda sql: self._read_data(sql, run_id)))

    async def take(self, run_id: str) -> SuspendedRun:
        """Return a run and remove it from the store; of two concurrent callers one gets it.

        :param run_id: id of the run.
        :raises NotFound: when there is none.
        """

        def work(sql: Connection) -> bytes | None:
            data = self._read_data(sql, run_id)
            sql.execute(_DELETE, (run_id,))
            return data

        return _decode_run(run_id, await self._file.write(work))

    async def list(self, agent_id: str) -> list[SuspendedRun]:
        """Return the runs of one agent, newest first.

        :param agent_id: id of the agent.
        """

        def work(sql: Connection) -> list[Any]:
            return sql.execute(_LIST, (agent_id, self._get_oldest_time())).fetchall()

        return [_decode_run("", data) for (data,) in await self._file.read(work)]

    def _read_data(self, sql: Connection, run_id: str) -> bytes | None:
        row = sql.execute(_GET, (run_id, self._get_oldest_time())).fetchone()
        return row[0] if row else None

    def _check_share(self, sql: Connection, caller: str, size: int) -> None:
        """Raise an error where the caller may not store another run of this size."""
        places, held_bytes = Shares(self._limit), Shares(self._max_bytes)
        for is_own, number, total in sql.execute(_SUM, (caller, caller)):
            places.hold(caller if is_own else "", number)
            held_bytes.hold(caller if is_own else "", total)
        if not (places.fits(caller) and held_bytes.fits(caller, size)):
            raise build_error(self._limit - places.free)

    def _get_oldest_time(self) -> int:
        return int((time.time() - self._max_age) * 1000)


def _decode_run(run_id: str, data: bytes | None) -> SuspendedRun:
    if data is None:
        raise NotFound(f"There is no suspended run {run_id!r}.")
    return msgspec.json.decode(data, type=SuspendedRun)
