"""Storage in a PostgreSQL database."""

from __future__ import annotations

from mastra_core.agents.suspended_runs import SuspendedRuns
from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.number_checks import check_count
from mastra_core.database.message_bus import MessageBus, PostgresBus
from mastra_core.database.url import DatabaseUrl, parse_database_url
from mastra_core.storage.postgres.postgres_database import PostgresDatabase
from mastra_core.storage.protocol import RecordStore, ThreadStore
from mastra_core.storage.sql_records import SqlRecords
from mastra_core.storage.sql_suspended_runs import SqlSuspendedRuns
from mastra_core.storage.sql_threads import SqlThreads

__all__ = ("PostgresStorage",)

_WEEK = 7 * 24 * 3600


class PostgresStorage:
    """Stores everything in a PostgreSQL database, which servers on several machines share.

    The storage needs the extra ``mastra-core[postgres]``, whose packages are imported at the first
    use.

    :param url: ``postgresql://user:password@host:5432/name``, with options of libpq in its query.
    :param max_connections: maximum number of connections that each event loop of this process may
        open.
    :param max_suspended_age: seconds after which a suspended run is removed.
    :param max_suspended_runs: maximum number of suspended runs, divided among the callers.
    :param max_suspended_bytes: maximum size of all suspended runs, divided among the callers.
    :raises ConfigError: when the URL or a number is invalid.
    """

    single_process = False

    def __init__(
        self,
        url: str | DatabaseUrl,
        *,
        max_connections: int = 10,
        max_suspended_age: float = _WEEK,
        max_suspended_runs: int = 100_000,
        max_suspended_bytes: int = 4_294_967_296,
    ) -> None:
        if not isinstance(url, DatabaseUrl):
            check_types({"url": url}, {"url": "str"})
        check_count("max_connections", max_connections, least=1)
        self.url = parse_database_url(url) if isinstance(url, str) else url
        self._database = PostgresDatabase(self.url, max_connections)
        self.bus: MessageBus = PostgresBus(self._database.pool)
        self.responses: RecordStore = SqlRecords(self._database)
        self.threads: ThreadStore = SqlThreads(self._database)
        self.suspended_runs: SuspendedRuns = SqlSuspendedRuns(
            self._database, max_suspended_age, max_suspended_runs, max_suspended_bytes
        )

    async def open(self) -> None:
        """Connect, and create or migrate the tables.

        :raises ConfigError: when the package ``psycopg`` is not installed.
        :raises StorageError: when the database cannot be used, or was written by a newer version of
            mastra.
        """
        await self._database.pool.open()

    async def check(self) -> None:
        """Check that the database answers, unless it has answered in the last five seconds.

        :raises StorageError: when the database cannot be used.
        """
        await self._database.pool.check()

    async def close(self) -> None:
        """Close the connections; a later call opens them again."""
        await self._database.close()
