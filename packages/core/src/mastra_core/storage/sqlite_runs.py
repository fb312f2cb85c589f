"""Suspended runs in an SQLite file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from mastra_core.agents.suspended_runs import SuspendedRun
from mastra_core.errors import NotFound
from mastra_core.storage.sqlite_file import SqliteFile
from mastra_core.storage.sqlite_rows import encode_json

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ("SqliteSuspendedRuns",)

_PUT = "INSERT OR REPLACE INTO mastra_suspended_runs VALUES (?, ?, ?, ?)"
_GET = "SELECT data FROM mastra_suspended_runs WHERE id = ? AND suspended_at >= ?"
_LIST = """SELECT data FROM mastra_suspended_runs WHERE agent = ? AND suspended_at >= ?
    ORDER BY suspended_at DESC, rowid DESC"""


class SqliteSuspendedRuns:
    """The ``SuspendedRuns`` of ``SqliteStorage``.

    :param file: the file.
    :param max_age: seconds after which a run is removed.
    """

    def __init__(self, file: SqliteFile, max_age: float) -> None:
        self._file = file
        self._max_age = max_age

    async def put(self, run: SuspendedRun) -> None:
        """Store a run; it replaces a run with the same id.

        :param run: the run.
        """
        row = (run.run_id, run.agent_id, run.suspended_at, encode_json(run))

        def work(sql: Connection) -> None:
            sql.execute(
                "DELETE FROM mastra_suspended_runs WHERE suspended_at < ?",
                (self._get_oldest_time(),),
            )
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
            sql.execute("DELETE FROM mastra_suspended_runs WHERE id = ?", (run_id,))
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

    def _get_oldest_time(self) -> int:
        return int((time.time() - self._max_age) * 1000)


def _decode_run(run_id: str, data: bytes | None) -> SuspendedRun:
    if data is None:
        raise NotFound(f"There is no suspended run {run_id!r}.")
    return msgspec.json.decode(data, type=SuspendedRun)
