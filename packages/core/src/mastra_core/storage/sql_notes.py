"""Working memory in a database that understands the SQL of SQLite."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from mastra_core.errors import Conflict
from mastra_core.json_repair import repair_text
from mastra_core.storage.records import Scope, build_owner_error
from mastra_core.storage.sql_database import Lock, Result, SqlDatabase, Statement
from mastra_core.storage.sql_rows import check_row_size

__all__ = ("SqlNotes",)

# Before a thread is created, its notes belong to the resource that has written them.
_OTHER_OWNER = """SELECT id FROM mastra_threads WHERE ? = 'thread' AND id = ? AND resource <> ?
    UNION ALL SELECT owner FROM mastra_working_memory
    WHERE scope = 'thread' AND scope = ? AND owner = ? AND resource NOT IN ('', ?)
    AND NOT EXISTS (SELECT 1 FROM mastra_threads WHERE id = mastra_working_memory.owner)"""
_NOTE = "SELECT content AS notes FROM mastra_working_memory WHERE scope = ? AND owner = ?"
_REPLACE = f"""INSERT INTO mastra_working_memory (scope, owner, content, resource)
    SELECT ?, ?, ?, ? WHERE NOT EXISTS ({_OTHER_OWNER}) AND coalesce(({_NOTE}), '') = ?
    ON CONFLICT (scope, owner) DO UPDATE SET content = excluded.content,
    resource = coalesce(nullif(excluded.resource, ''), mastra_working_memory.resource)
    WHERE mastra_working_memory.content = ?"""
_MAX_TRIES = 60
_FIRST_DELAY = 0.002  # seconds before a change is tried again, doubled for each try
_MAX_DELAY = 0.1


class SqlNotes:
    """The notes that agents keep about threads and resources.

    :param database: the database.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def get(self, scope: Scope, owner: str, resource: str | None) -> str:
        """Return the notes about a thread or resource.

        :param scope: ``thread`` or ``resource``.
        :param owner: id of the thread or resource.
        :param resource: the owner that an existing thread must have; ``None`` for any.
        :returns: the notes, empty if there are none or they belong to another resource.
        """
        if not _may_use(scope, owner, resource):
            return ""
        notes = await self._database.execute(_build_reads(scope, owner, resource), _parse_notes)
        return notes or ""

    async def change(
        self, scope: Scope, owner: str, change: Callable[[str], str], resource: str | None
    ) -> str:
        """Replace the notes with ``change(notes)``, even if other callers change them meanwhile.

        Some databases, such as D1, cannot run code between two statements of a transaction, so the
        statement that writes the new notes compares the stored notes with the notes that ``change``
        has received. If the stored notes have changed meanwhile, the method calls ``change`` again.

        :param scope: ``thread`` or ``resource``.
        :param owner: id of the thread or resource.
        :param change: returns the new notes for the old ones.
        :param resource: the owner that an existing thread must have; ``None`` for any.
        :returns: the new notes.
        :raises Conflict: when other callers change the notes during every attempt.
        :raises Forbidden: when the thread belongs to another resource.
        """
        if not _may_use(scope, owner, resource):
            raise build_owner_error(owner)
        reads = _build_reads(scope, owner, resource)
        notes = await self._database.execute(reads, _parse_notes)
        for number in range(_MAX_TRIES):
            if notes is None:
                raise build_owner_error(owner)
            changed = repair_text(change(notes))
            row = (scope, owner, changed, resource or "")
            check_row_size(row, f"working memory of {owner!r}", self._database.max_row_bytes)
            whose = (scope, owner, resource)
            replace = Statement(_REPLACE, (*row, *whose, *whose, scope, owner, notes, notes))
            notes, is_stored = await self._database.execute(
                [replace, *reads],
                lambda results: (_parse_notes(results[1:]), results[0].changes > 0),
                writes=True,
                locks=[Lock(f"mastra_threads {owner}")],  # another caller may create the thread
            )
            if is_stored:
                return changed
            await _wait(number)
        raise Conflict(
            f"Too many callers are changing the working memory of {owner!r} at once.",
            "Send the request again.",
        )


def _may_use(scope: Scope, owner: str, resource: str | None) -> bool:
    return scope == "thread" or resource in (None, owner)


def _build_reads(scope: Scope, owner: str, resource: str | None) -> tuple[Statement, Statement]:
    return (
        Statement(_OTHER_OWNER, (scope, owner, resource, scope, owner, resource)),
        Statement(_NOTE, (scope, owner)),
    )


def _parse_notes(results: Sequence[Result]) -> str | None:
    """Return the notes, or ``None`` if they belong to another resource."""
    others, notes = results
    if others.rows:
        return None
    return str(notes.rows[0][0]) if notes.rows else ""


async def _wait(number: int) -> None:
    """Wait for a random time, so that callers that collided do not collide again."""
    import asyncio

    delay = min(_FIRST_DELAY * 2**number, _MAX_DELAY)
    await asyncio.sleep(random.uniform(0, delay))  # noqa: S311  # no secret depends on it
