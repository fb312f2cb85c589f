"""The tables of durable runs, for SQLite and PostgreSQL.

Table names begin with ``mastra_``, so an application may use the same database for its own tables.
"""

from __future__ import annotations

from mastra_core.database.table_versions import Schema

__all__ = ("POSTGRES_SCHEMA", "RANK", "SQLITE_NOW", "SQLITE_SCHEMA")

# The present time in milliseconds since the epoch; unixepoch() needs SQLite 3.42.
SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
RANK = (
    "due_at - priority * 60000"  # the order of waiting runs: a priority is worth minutes of waiting
)

_VERSION_1 = (
    """CREATE TABLE mastra_runs (
        id {id},
        workflow TEXT NOT NULL,
        run_id TEXT NOT NULL,
        scope TEXT NOT NULL,
        resource_id TEXT NOT NULL,
        caller TEXT NOT NULL,
        thread TEXT NOT NULL DEFAULT '',
        status TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        attempt BIGINT NOT NULL,
        commits BIGINT NOT NULL,
        holder TEXT NOT NULL,
        answers BIGINT NOT NULL,
        takeovers BIGINT NOT NULL,
        due_at BIGINT,
        priority BIGINT NOT NULL DEFAULT 0,
        parent BIGINT,
        parent_key TEXT NOT NULL DEFAULT '',
        parent_waits BIGINT NOT NULL DEFAULT 0,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        settings TEXT NOT NULL,
        context TEXT NOT NULL,
        fingerprint TEXT NOT NULL DEFAULT '',
        UNIQUE (workflow, run_id, scope)
    )""",
    f"""CREATE INDEX mastra_runs_due ON mastra_runs (({RANK}), fingerprint)
        WHERE holder = '' AND due_at IS NOT NULL""",
    """CREATE INDEX mastra_runs_children ON mastra_runs (parent, parent_key)
        WHERE parent IS NOT NULL""",
    "CREATE INDEX mastra_runs_held ON mastra_runs (holder) WHERE holder <> ''",
    """CREATE INDEX mastra_runs_unfinished ON mastra_runs (caller)
        WHERE caller <> '' AND status NOT IN ('canceled', 'failed', 'success')""",
    "CREATE INDEX mastra_runs_listed ON mastra_runs (workflow, created_at, id)",
    """CREATE INDEX mastra_runs_suspended ON mastra_runs (workflow, updated_at, id)
        WHERE status = 'suspended'""",
    "CREATE INDEX mastra_runs_counted ON mastra_runs (workflow, status)",
    "CREATE INDEX mastra_runs_updated ON mastra_runs (status, updated_at)",
    """CREATE TABLE mastra_run_outcomes (
        run BIGINT NOT NULL REFERENCES mastra_runs (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        number BIGINT NOT NULL,
        data TEXT NOT NULL,
        PRIMARY KEY (run, key)
    )""",
    """CREATE TABLE mastra_run_events (
        run BIGINT NOT NULL REFERENCES mastra_runs (id) ON DELETE CASCADE,
        sequence BIGINT NOT NULL,
        key TEXT NOT NULL,
        data TEXT NOT NULL,
        PRIMARY KEY (run, sequence)
    )""",
    """CREATE TABLE mastra_run_answers (
        run BIGINT NOT NULL REFERENCES mastra_runs (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        data TEXT NOT NULL,
        PRIMARY KEY (run, key)
    )""",
    """CREATE TABLE mastra_run_members (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        machine TEXT NOT NULL,
        process BIGINT NOT NULL,
        fingerprints TEXT NOT NULL DEFAULT '',
        lease_until BIGINT NOT NULL
    )""",
    """CREATE TABLE mastra_run_schedules (
        id TEXT PRIMARY KEY,
        workflow TEXT NOT NULL,
        cron TEXT NOT NULL,
        timezone TEXT NOT NULL,
        status TEXT NOT NULL,
        next_at BIGINT NOT NULL,
        last_at BIGINT,
        last_run TEXT NOT NULL,
        member TEXT NOT NULL DEFAULT '',
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )""",
    """CREATE TABLE mastra_run_fingerprints (
        fingerprint TEXT PRIMARY KEY,
        workflow TEXT NOT NULL,
        description TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )""",
    """CREATE TABLE mastra_run_queues (
        workflow TEXT PRIMARY KEY,
        concurrency BIGINT NOT NULL
    )""",
)
# A user's list of runs must not read the runs of all users.
_VERSION_2 = (
    """CREATE INDEX mastra_runs_owned ON mastra_runs (workflow, resource_id, created_at, id)
        WHERE resource_id <> ''""",
)
_VERSIONS = (_VERSION_1, _VERSION_2)


def _build_schema(key: str) -> Schema:
    """Build the tables; ``key`` is the SQL type of a primary key with generated values."""
    versions = (tuple(sql.replace("{id}", key) for sql in version) for version in _VERSIONS)
    return Schema("mastra_run_schema", tuple(versions))


POSTGRES_SCHEMA = _build_schema("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
SQLITE_SCHEMA = _build_schema("INTEGER PRIMARY KEY AUTOINCREMENT")
