"""Create the tables of a database, and migrate older ones.

Table names begin with ``mastra_``, so an application may use the same file for its own tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mastra_core.errors import StorageError
from mastra_core.storage.sqlite_database import Statement

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ("BLOB_COLUMNS", "VERSION", "VERSIONS", "build_migration", "migrate")

BLOB_COLUMNS = frozenset(("content", "data", "metadata", "parts"))
VERSION = "SELECT version FROM mastra_schema"
_VERSION_1 = (
    """CREATE TABLE mastra_threads (
        id TEXT PRIMARY KEY,
        resource TEXT NOT NULL,
        title TEXT NOT NULL,
        metadata BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        position INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX mastra_threads_of ON mastra_threads (resource, updated_at)",
    """CREATE TABLE mastra_messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        thread TEXT NOT NULL REFERENCES mastra_threads (id) ON DELETE CASCADE,
        role TEXT NOT NULL,
        parts BLOB NOT NULL,
        content BLOB NOT NULL,
        metadata BLOB NOT NULL,
        created_at INTEGER NOT NULL
    )""",
    "CREATE INDEX mastra_messages_of ON mastra_messages (thread, number)",
    """CREATE TABLE mastra_histories (
        thread TEXT PRIMARY KEY REFERENCES mastra_threads (id) ON DELETE CASCADE,
        agent TEXT NOT NULL,
        messages INTEGER NOT NULL,
        data BLOB NOT NULL
    )""",
    """CREATE TABLE mastra_working_memory (
        scope TEXT NOT NULL,
        owner TEXT NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (scope, owner)
    )""",
    """CREATE TABLE mastra_suspended_runs (
        id TEXT PRIMARY KEY,
        agent TEXT NOT NULL,
        suspended_at INTEGER NOT NULL,
        data BLOB NOT NULL
    )""",
    "CREATE INDEX mastra_suspended_runs_of ON mastra_suspended_runs (agent, suspended_at)",
    "CREATE INDEX mastra_suspended_runs_at ON mastra_suspended_runs (suspended_at)",
)
# Suspended runs have an owner, and are bounded by number and bytes for each caller.
_VERSION_2 = (
    "ALTER TABLE mastra_suspended_runs RENAME TO mastra_old_runs",
    """CREATE TABLE mastra_suspended_runs (
        id TEXT NOT NULL,
        agent TEXT NOT NULL,
        resource TEXT NOT NULL,
        thread TEXT NOT NULL,
        calls TEXT NOT NULL,
        caller TEXT NOT NULL,
        suspended_at INTEGER NOT NULL,
        size INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (agent, id, resource)
    )""",
    """INSERT INTO mastra_suspended_runs
        SELECT id, agent,
            coalesce(json_extract(CAST(data AS TEXT), '$.wish.resource'), ''),
            coalesce(json_extract(CAST(data AS TEXT), '$.wish.thread'), ''),
            (SELECT json_group_array(json_extract(value, '$.id'))
                FROM json_each(CAST(data AS TEXT), '$.waiting')),
            '', suspended_at, length(data), data
        FROM mastra_old_runs""",
    "DROP TABLE mastra_old_runs",
    """CREATE INDEX mastra_suspended_runs_of
        ON mastra_suspended_runs (agent, resource, suspended_at)""",
    "CREATE INDEX mastra_suspended_runs_all ON mastra_suspended_runs (agent, suspended_at)",
    "CREATE INDEX mastra_suspended_runs_at ON mastra_suspended_runs (suspended_at)",
    "CREATE INDEX mastra_suspended_runs_sizes ON mastra_suspended_runs (caller, size)",
)
VERSIONS = (
    _VERSION_1,
    _VERSION_2,
)  # the statements at index N migrate a file from version N to N + 1


def migrate(connection: Connection, path: str) -> None:
    """Migrate the tables to the newest version; of several processes, only one does so.

    :param connection: the connection.
    :param path: path of the file, for messages.
    :raises StorageError: for a file of a newer version of mastra.
    """
    if _read_version(connection) == len(VERSIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _apply_versions(connection, path)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def build_migration(version: int) -> list[Statement]:
    """Build the statements that migrate the tables to the newest version.

    :param version: the version of the tables; 0 if there are none.
    """
    changes = [Statement(sql) for statements in VERSIONS[version:] for sql in statements]
    return [
        *changes,
        Statement("CREATE TABLE IF NOT EXISTS mastra_schema (version INTEGER NOT NULL)"),
        Statement("DELETE FROM mastra_schema"),
        Statement("INSERT INTO mastra_schema VALUES (?)", (len(VERSIONS),)),
    ]


def _apply_versions(connection: Connection, path: str) -> None:
    version = _read_version(connection)
    if version > len(VERSIONS):
        raise StorageError(
            f"{path!r} was written by a newer version of mastra: its tables have version "
            f"{version}, and this mastra knows {len(VERSIONS)}.",
            "Update mastra-core, or use another file.",
        )
    for statement in build_migration(version):
        connection.execute(statement.sql, statement.values)


def _read_version(connection: Connection) -> int:
    """Return the version of the tables; 0 if there are none."""
    tables = "SELECT 1 FROM sqlite_master WHERE name = 'mastra_schema'"
    if connection.execute(tables).fetchone() is None:
        return 0
    return int(connection.execute(VERSION).fetchone()[0])
