"""Suspended agent runs in an SQLite file."""

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
    """See ``SuspendedRuns``.

    :param max_age: seconds after which one is forgotten.
    """

    def __init__(self, file: SqliteFile, max_age: float) -> None:
        self._file = file
        self._max_age = max_age

    async def put(self, run: SuspendedRun) -> None:
        """Keep ``run``, in place of one of the same id."""
        row = (run.run_id, run.agent_id, run.suspended_at, encode_json(run))

        def work(sql: Connection) -> None:
            sql.execute(
                "DELETE FROM mastra_suspended_runs WHERE suspended_at < ?", (self._oldest(),)
            )
            sql.execute(_PUT, row)

        await self._file.write(work)

    async def get(self, run_id: str) -> SuspendedRun:
        """The run of that id, which stays.

        :raises NotFound: when there is none.
        """
        return _run(run_id, await self._file.read(lambda sql: self._data(sql, run_id)))

    async def take(self, run_id: str) -> SuspendedRun:
        """The run of that id, which is gone then: of two that ask, one gets it.

        :raises NotFound: when there is none.
        """

        def work(sql: Connection) -> bytes | None:
            data = self._data(sql, run_id)
            sql.execute("DELETE FROM mastra_suspended_runs WHERE id = ?", (run_id,))
            return data

        return _run(run_id, await self._file.write(work))

    async def list(self, agent_id: str) -> list[SuspendedRun]:
        """Those of one agent, newest first."""

        def work(sql: Connection) -> list[Any]:
            return sql.execute(_LIST, (agent_id, self._oldest())).fetchall()

        return [_run("", data) for (data,) in await self._file.read(work)]

    def _data(self, sql: Connection, run_id: str) -> bytes | None:
        row = sql.execute(_GET, (run_id, self._oldest())).fetchone()
        return row[0] if row else None

    def _oldest(self) -> int:
        return int((time.time() - self._max_age) * 1000)


def _run(run_id: str, data: bytes | None) -> SuspendedRun:
    if data is None:
        raise NotFound(f"There is no suspended run {run_id!r}.")
    return msgspec.json.decode(data, type=SuspendedRun)
