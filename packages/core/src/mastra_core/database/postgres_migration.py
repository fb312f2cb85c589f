"""Migrate the tables in a PostgreSQL database; only one of several processes does so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_core.database.table_versions import Schema

if TYPE_CHECKING:
    from psycopg import AsyncConnection

__all__ = ("migrate_postgres", "read_postgres_version")

# A function such as to_regclass would not see a table that another session has just created.
_TABLES = "SELECT 1 FROM pg_class WHERE relname = %s AND pg_table_is_visible(oid)"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


async def migrate_postgres(connection: AsyncConnection[Any], schema: Schema, source: str) -> None:
    """Migrate tables to the newest version, under an advisory lock of the transaction.

    :param connection: a connection in autocommit mode, without an open transaction.
    :param schema: the tables.
    :param source: the URL of the database without its user, password and options, for messages.
    :raises StorageError: when a newer version of mastra wrote the tables.
    """
    if await read_postgres_version(connection, schema) == schema.newest:
        return
    async with connection.transaction():
        await connection.execute(_LOCK, (schema.table,))
        version = await read_postgres_version(connection, schema)
        schema.require_known(version, f"The database {source!r}", "use another database")
        if version < schema.newest:
            for sql in schema.build_migration(version):
                await connection.execute(sql.encode())  # bytes may be no literal of the program


async def read_postgres_version(connection: AsyncConnection[Any], schema: Schema) -> int:
    """Return the version of mastra's tables; 0 if the database has no such tables.

    :param connection: the connection.
    :param schema: the tables.
    """
    if await (await connection.execute(_TABLES, (schema.table,))).fetchone() is None:
        return 0
    row = await (await connection.execute(schema.version_query.encode())).fetchone()
    return int(row[0]) if row else 0
