"""The versions of a group of tables, and the statements that migrate them.

A table with one row holds the version. To migrate tables of version N to the newest version, one
transaction runs the statements of all later versions. Each group of tables in a database has its
own version.

A running process checks the version only when it starts, so a new version must keep the older
processes working: it adds tables, indexes, and columns with a default. A release that stores values
that the earlier releases cannot read, such as a new kind of event or message part, needs a new
version as well, even if no table changes. Processes of earlier releases then refuse to start.
"""

from __future__ import annotations

from typing import NamedTuple

from mastra_core.errors import StorageError

__all__ = ("Schema",)


class Schema(NamedTuple):
    """A group of tables.

    :param table: name of the table that holds the version: ``mastra_schema``.
    :param versions: the statements at index N migrate the tables from version N to version N + 1.
    """

    table: str
    versions: tuple[tuple[str, ...], ...]

    @property
    def newest(self) -> int:
        """The newest version of the tables that this version of mastra supports."""
        return len(self.versions)

    @property
    def version_query(self) -> str:
        """The query for the version, which fails if there are no tables."""
        return f"SELECT version FROM {self.table}"

    def build_migration(self, version: int) -> list[str]:
        """Build the statements that migrate the tables to the newest version.

        :param version: the version of the tables; 0 if the database has no tables of mastra.
        """
        changes = [sql for statements in self.versions[version:] for sql in statements]
        return [
            *changes,
            f"CREATE TABLE IF NOT EXISTS {self.table} (version INTEGER NOT NULL)",
            f"DELETE FROM {self.table}",
            f"INSERT INTO {self.table} VALUES ({self.newest})",
        ]

    def require_known(self, version: int, database: str, cure: str) -> None:
        """Raise an error if tables were written by a newer version of mastra.

        :param version: the version of the tables.
        :param database: the database, for the message.
        :param cure: what the user can do instead of updating mastra, as the end of the hint.
        :raises StorageError: when this version of mastra does not support the tables.
        """
        if version > self.newest:
            raise StorageError(
                f"{database} was written by a newer version of mastra: its tables have version "
                f"{version}, and this version of mastra supports version {self.newest}.",
                f"Update mastra-core, or {cure}.",
            )
