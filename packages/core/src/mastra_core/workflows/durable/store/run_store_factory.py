"""Create the store of runs for a setting or for the URL of a database."""

from __future__ import annotations

from mastra_core.database.url import DatabaseUrl, parse_database_url, read_database_url
from mastra_core.errors import ConfigError
from mastra_core.workflows.durable.store.run_store import RunStore

__all__ = ("as_run_store", "create_run_store")

_D1_SCHEME = "d1:"


def as_run_store(value: RunStore | str | None) -> RunStore:
    """Convert a setting to a store of runs.

    :param value: a store, the URL of a database, ``d1:`` and the name of a binding, or ``None`` for
        the database that ``MASTRA_DATABASE_URL`` names.
    :raises ConfigError: when the URL is invalid.
    """
    if value is not None and not isinstance(value, str):
        if not hasattr(value, "single_process"):
            raise ConfigError(
                f"A {type(value).__name__!r} is not a store of runs.",
                'Pass the URL of a database: DurableEngine("sqlite:///runs.db").',
            )
        return value
    if value is not None and value.startswith(_D1_SCHEME):
        from mastra_core.workflows.durable.store.d1_run_store import D1RunStore

        return D1RunStore(value.removeprefix(_D1_SCHEME))
    return create_run_store(read_database_url() if value is None else parse_database_url(value))


def create_run_store(url: DatabaseUrl) -> RunStore:
    """Create the store of runs in a database.

    :param url: the database.
    """
    if url.kind == "postgresql":
        from mastra_core.workflows.durable.store.postgres_run_store import PostgresRunStore

        return PostgresRunStore(url)
    from mastra_core.workflows.durable.store.sqlite_run_store import SqliteRunStore

    return SqliteRunStore(url.path)
