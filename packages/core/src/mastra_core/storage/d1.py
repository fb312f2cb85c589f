"""Storage in a Cloudflare D1 database."""

from __future__ import annotations

from mastra_core.agents.suspended_runs import SuspendedRuns
from mastra_core.storage.d1_binding import D1Binding
from mastra_core.storage.d1_database import D1Database
from mastra_core.storage.protocol import RecordStore, ThreadStore
from mastra_core.storage.sql_records import SqlRecords
from mastra_core.storage.sql_suspended_runs import SqlSuspendedRuns
from mastra_core.storage.sql_threads import SqlThreads

__all__ = ("D1Storage",)

_WEEK = 7 * 24 * 3600
_MAX_RESPONSE_BYTES = 8_388_608  # of a caller; a database of the free plan has 500 MB


class D1Storage:
    """Stores everything in a D1 database, which all instances of a Worker share.

    Each call is one batch of statements, and uses the binding of its own request.

    :param binding: name of the Worker's binding, or an object with the methods of ``D1Binding``.
    :param max_suspended_age: seconds after which a suspended run is removed.
    :param max_suspended_runs: maximum number of suspended runs, divided among the callers.
    :param max_suspended_bytes: maximum size of all suspended runs, divided among the callers.
    :raises ConfigError: when the name is not a valid name of a binding, or a number is invalid.
    """

    single_process = False

    def __init__(
        self,
        binding: str | D1Binding,
        *,
        max_suspended_age: float = _WEEK,
        max_suspended_runs: int = 10_000,
        max_suspended_bytes: int = 268_435_456,
    ) -> None:
        self._database = D1Database(binding)
        self.responses: RecordStore = SqlRecords(
            self._database, max_bytes_per_caller=_MAX_RESPONSE_BYTES
        )
        self.threads: ThreadStore = SqlThreads(self._database)
        self.suspended_runs: SuspendedRuns = SqlSuspendedRuns(
            self._database, max_suspended_age, max_suspended_runs, max_suspended_bytes
        )

    async def open(self) -> None:
        """Create or migrate the tables; without this call, the first use creates them.

        :raises ConfigError: when there is no such binding.
        :raises StorageError: when the database cannot be used, or was written by a newer version of
            mastra.
        """
        await self._database.open()

    async def close(self) -> None:
        """Do nothing, because the Worker owns the binding."""
