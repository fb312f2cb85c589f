"""Storage in one SQLite file."""

from __future__ import annotations

import os

from mastra_core.agents.suspended_runs import SuspendedRuns
from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.number_checks import check_seconds
from mastra_core.storage.protocol import RecordStore, ThreadStore
from mastra_core.storage.sql_records import SqlRecords
from mastra_core.storage.sql_suspended_runs import SqlSuspendedRuns
from mastra_core.storage.sql_threads import SqlThreads
from mastra_core.storage.sqlite_file import SqliteFile

__all__ = ("SqliteStorage",)

_WEEK = 7 * 24 * 3600


class SqliteStorage:
    """Stores everything in one file; several processes of one machine may share the file.

    Stored data survives even a crash of the process. After a loss of power, the most recent data
    may be missing.

    :param path: path of the file, which is created if it is missing; its directory must exist.
    :param busy_timeout: seconds to wait while another process writes.
    :param max_suspended_age: seconds after which a suspended run is removed.
    :param max_suspended_runs: maximum number of suspended runs, divided among the callers.
    :param max_suspended_bytes: maximum size of all suspended runs, divided among the callers.
    :raises ConfigError: for an argument of the wrong type, or an invalid number.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout: float = 10,
        max_suspended_age: float = _WEEK,
        max_suspended_runs: int = 100_000,
        max_suspended_bytes: int = 4_294_967_296,
    ) -> None:
        check_types(locals(), SqliteStorage.__init__.__annotations__)
        check_seconds(f"busy_timeout={busy_timeout!r}", busy_timeout, allows_zero=True)
        self.path = os.fspath(path)
        self.single_process = self.path == ":memory:"
        self._file = SqliteFile(self.path, busy_timeout)
        self.responses: RecordStore = SqlRecords(self._file)
        self.threads: ThreadStore = SqlThreads(self._file)
        self.suspended_runs: SuspendedRuns = SqlSuspendedRuns(
            self._file, max_suspended_age, max_suspended_runs, max_suspended_bytes
        )

    async def open(self) -> None:
        """Open the file, and create or migrate its tables.

        :raises StorageError: when the file cannot be opened, is not a database, or was written by a
            newer version of mastra.
        """
        await self._file.write(lambda _: None)

    async def check(self) -> None:
        """Check that the file can be read, unless a call has succeeded in the last five seconds.

        :raises StorageError: when the file cannot be read.
        """
        await self._file.check()

    async def close(self) -> None:
        """Close the file; a later call opens the file again."""
        await self._file.close()
