"""Migrate the tables in an SQLite file; only one of several processes does so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mastra_core.database.table_versions import Schema

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ("migrate_sqlite", "read_sqlite_version")

_TABLES = "SELECT 1 FROM sqlite_master WHERE name = ?"


def migrate_sqlite(connection: Connection, schema: Schema, path: str) -> None:
    """Migrate tables to the newest version, under the write lock of the file.

    :param connection: a connection in autocommit mode, without an open transaction.
    :param schema: the tables.
    :param path: path of the file, for messages.
    :raises StorageError: when a newer version of mastra wrote the tables.
    """
    if read_sqlite_version(connection, schema) == schema.newest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = read_sqlite_version(connection, schema)
        schema.require_known(version, repr(path), "use another file")
        if version < schema.newest:
            for sql in schema.build_migration(version):
                connection.execute(sql)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have rolled back already
            connection.execute("ROLLBACK")
        raise


def read_sqlite_version(connection: Connection, schema: Schema) -> int:
    """Return the version of mastra's tables; 0 if the database has no such tables.

    :param connection: the connection.
    :param schema: the tables.
    """
    if connection.execute(_TABLES, (schema.table,)).fetchone() is None:
        return 0
    return int(connection.execute(schema.version_query).fetchone()[0])
