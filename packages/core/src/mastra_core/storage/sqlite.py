"""Storage in one SQLite file."""

from __future__ import annotations

import os

from mastra_core.agents.suspended_runs import SuspendedRuns
from mastra_core.storage.protocol import ThreadStore
from mastra_core.storage.sqlite_file import SqliteFile
from mastra_core.storage.sqlite_runs import SqliteSuspendedRuns
from mastra_core.storage.sqlite_threads import SqliteThreads

__all__ = ("SqliteStorage",)

_WEEK = 7 * 24 * 3600


class SqliteStorage:
    """Keeps everything in one file, which several processes of one machine may share.

    What a call has kept survives the end of the process however it comes; a machine that loses
    power may lose the last moments, never more.

    :param path: made where it is not there yet; its directory must be.
    :param busy_timeout: seconds to wait while another process writes.
    :param max_suspended: seconds after which a suspended run is forgotten.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout: float = 10,
        max_suspended: float = _WEEK,
    ) -> None:
        self.path = os.fspath(path)
        self.single_process = self.path == ":memory:"
        self._file = SqliteFile(self.path, busy_timeout)
        self.threads: ThreadStore = SqliteThreads(self._file)
        self.suspended_runs: SuspendedRuns = SqliteSuspendedRuns(self._file, max_suspended)

    async def open(self) -> None:
        """Open the file, and make or renew its tables.

        :raises StorageError: when it cannot be opened, is no database or of a newer mastra.
        """
        await self._file.write(lambda _: None)

    async def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        await self._file.close()
