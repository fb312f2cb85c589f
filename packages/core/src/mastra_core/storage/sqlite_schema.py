"""The tables of a database that understands the SQL of SQLite.

Table names begin with ``mastra_``, so an application may use the same file for its own tables.
"""

from __future__ import annotations

from mastra_core.database.table_versions import Schema

__all__ = ("BLOB_COLUMNS", "SCHEMA")

BLOB_COLUMNS = frozenset(("content", "data", "metadata", "parts"))
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
# Requests of callers are counted for all processes.
_VERSION_3 = (
    """CREATE TABLE mastra_request_counts (
        caller TEXT NOT NULL,
        starts_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        PRIMARY KEY (caller, starts_at)
    )""",
    "CREATE INDEX mastra_request_counts_at ON mastra_request_counts (expires_at)",
)
# Records with an age, such as the responses of the Responses API.
_VERSION_4 = (
    """CREATE TABLE mastra_records (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        owner TEXT NOT NULL,
        caller TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (kind, id)
    )""",
    "CREATE INDEX mastra_records_of ON mastra_records (kind, caller, expires_at)",
    "CREATE INDEX mastra_records_at ON mastra_records (expires_at)",
)
# The notes of a thread have an owner before the thread is created.
_VERSION_5 = ("ALTER TABLE mastra_working_memory ADD COLUMN resource TEXT NOT NULL DEFAULT ''",)
SCHEMA = Schema("mastra_schema", (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5))
