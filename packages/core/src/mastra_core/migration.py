"""Migrate all tables of mastra in a database, and read their versions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mastra_core.database.sqlite_migration import migrate_sqlite, read_sqlite_version
from mastra_core.database.table_versions import Schema
from mastra_core.database.url import DatabaseUrl

if TYPE_CHECKING:
    from sqlite3 import Connection

    from psycopg import AsyncConnection

__all__ = ("RUN_TABLES", "TableVersion", "migrate_database", "read_table_versions")

RUN_TABLES = "workflow runs"

T = TypeVar("T")
_BUSY_SECONDS = 10


class TableVersion(NamedTuple):
    """The version of one group of tables.

    :param name: what the tables contain.
    :param version: the version in the database; 0 if there are no tables.
    :param newest: the newest version of the tables that this version of mastra supports.
    """

    name: str
    version: int
    newest: int


async def migrate_database(url: DatabaseUrl) -> None:
    """Create or migrate all tables of mastra, each group in one transaction and under a lock.

    :param url: the database.
    :raises ConfigError: when the package ``psycopg`` is not installed.
    :raises StorageError: when the database cannot be used, or was written by a newer version of
        mastra.
    """
    schemas = _load_schemas(url)
    if url.kind == "postgresql":
        from mastra_core.database.postgres_pool import PostgresPool

        pool = PostgresPool(url, list(schemas.values()), max_connections=1)
        await pool.open()
        await pool.close()
        return

    def migrate(connection: Connection) -> None:
        for schema in schemas.values():
            migrate_sqlite(connection, schema, url.path)

    _use_sqlite(url.path, migrate)


async def read_table_versions(url: DatabaseUrl) -> list[TableVersion]:
    """Return the versions of all tables of mastra, and change nothing.

    :param url: the database.
    :raises ConfigError: when the package ``psycopg`` is not installed.
    :raises StorageError: when the database cannot be used.
    """
    schemas = _load_schemas(url)
    if url.kind == "postgresql":
        versions = await _read_postgres_versions(url, list(schemas.values()))
    else:
        versions = _read_sqlite_versions(url.path, list(schemas.values()))
    pairs = zip(schemas.items(), versions, strict=True)
    return [TableVersion(name, version, each.newest) for (name, each), version in pairs]


def _load_schemas(url: DatabaseUrl) -> dict[str, Schema]:
    """Return the groups of tables by the kind of data that they store."""
    from mastra_core.workflows.durable.store.run_schema import POSTGRES_SCHEMA, SQLITE_SCHEMA

    if url.kind == "postgresql":
        from mastra_core.storage.postgres.postgres_schema import SCHEMA as POSTGRES_STORAGE_SCHEMA

        return {"storage": POSTGRES_STORAGE_SCHEMA, RUN_TABLES: POSTGRES_SCHEMA}
    from mastra_core.storage.sqlite_schema import SCHEMA as SQLITE_STORAGE_SCHEMA

    return {"storage": SQLITE_STORAGE_SCHEMA, RUN_TABLES: SQLITE_SCHEMA}


async def _read_postgres_versions(url: DatabaseUrl, schemas: Sequence[Schema]) -> list[int]:
    from mastra_core.database.postgres_migration import read_postgres_version
    from mastra_core.database.postgres_pool import PostgresPool

    async def read(connection: AsyncConnection[Any]) -> list[int]:
        return [await read_postgres_version(connection, each) for each in schemas]

    pool = PostgresPool(url, max_connections=1)
    try:
        return await pool.run_in_autocommit(read)
    finally:
        await pool.close()


def _read_sqlite_versions(path: str, schemas: Sequence[Schema]) -> list[int]:
    if not os.path.exists(path):  # noqa: PTH110  # reading creates no file
        return [0] * len(schemas)
    return _use_sqlite(path, lambda file: [read_sqlite_version(file, each) for each in schemas])


def _use_sqlite(path: str, work: Callable[[Connection], T]) -> T:
    import sqlite3

    from mastra_core.storage.sqlite_errors import to_storage_error

    try:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            return work(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise to_storage_error(error, path) from None
