"""Create the store of runs for the URL of a database."""

from __future__ import annotations

from mastra_core.database.url import DatabaseUrl
from mastra_core.workflows.durable.store.run_store import RunStore

__all__ = ("create_run_store",)


def create_run_store(url: DatabaseUrl) -> RunStore:
    """Create the store of runs in a database.

    :param url: the database.
    """
    if url.kind == "postgresql":
        from mastra_core.workflows.durable.store.postgres_run_store import PostgresRunStore

        return PostgresRunStore(url)
    from mastra_core.workflows.durable.store.sqlite_run_store import SqliteRunStore

    return SqliteRunStore(url.path)
