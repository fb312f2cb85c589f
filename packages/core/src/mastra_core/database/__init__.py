"""The database of an application: its URL, its connections and the versions of its tables."""

from mastra_core.database.sqlite_migration import migrate_sqlite
from mastra_core.database.table_versions import Schema
from mastra_core.database.url import (
    DATABASE_URL,
    DatabaseUrl,
    mask_url,
    parse_database_url,
    read_database_url,
)

__all__ = (
    "DATABASE_URL",
    "DatabaseUrl",
    "Schema",
    "mask_url",
    "migrate_sqlite",
    "parse_database_url",
    "read_database_url",
)
