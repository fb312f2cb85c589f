"""The condition under which messages are added to a thread, as SQL of SQLite."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from mastra_core.storage.records import StoredMessage, Thread
from mastra_core.storage.sql_database import Statement
from mastra_core.storage.sql_rows import THREAD, encode_names

__all__ = ("IS_OWNED", "AppendCondition")

IS_OWNED = "EXISTS (SELECT 1 FROM mastra_threads WHERE id = ? AND resource = ?)"
_HAS_POSITION = "EXISTS (SELECT 1 FROM mastra_threads WHERE id = ? AND position = ?)"
_INSERT_THREAD = f"""INSERT INTO mastra_threads ({THREAD}, position) SELECT ?, ?, ?, ?, ?, ?, ?
    WHERE {{}} ON CONFLICT (id) DO NOTHING"""
# Another resource may have written notes for this id before the thread is created.
_DELETE_OTHER_NOTES = """DELETE FROM mastra_working_memory WHERE scope = 'thread' AND owner = ?
    AND resource NOT IN ('', ?) AND NOT EXISTS (SELECT 1 FROM mastra_threads WHERE id = ?)"""
_MAX_BOUND_IDS = 4  # more ids are bound as one JSON list, which is slower for few ids


class AppendCondition:
    """The condition of all statements that add messages to a thread.

    The condition holds if the stored thread belongs to the resource of ``thread``, and no other
    thread has a message with one of the ids.

    :param thread: the thread.
    :param messages: the messages.
    :param position: the position that the thread must have; with ``None``, the owner of the thread
        is checked instead.
    """

    def __init__(
        self, thread: Thread, messages: Sequence[StoredMessage], position: int | None = None
    ) -> None:
        ids = [message.id for message in messages]
        count = len(ids)
        values = ids if count <= _MAX_BOUND_IDS else [encode_names(ids)]
        of_thread = IS_OWNED if position is None else _HAS_POSITION
        self._taken, self._text = _build_condition(min(count, _MAX_BOUND_IDS + 1), of_thread)
        self._taken_values = (thread.id, *values)
        self.thread, self._position = thread, position or 0
        expected = thread.resource if position is None else position
        self._values = (thread.id, expected, *self._taken_values)

    def find_taken_id(self) -> Statement:
        """Return the statement that finds an id taken by a message of another thread."""
        return Statement(f"{self._taken} LIMIT 1", self._taken_values)

    def add_to(self, statement: Statement) -> Statement:
        """Return a copy of a statement that is executed only if this condition holds.

        :param statement: the statement.
        """
        return Statement(statement.sql + self._text, (*statement.values, *self._values))

    def build_creation(self, row: Sequence[Any]) -> tuple[Statement, Statement]:
        """Build the statements that create the thread, unless a message id is taken.

        :param row: the row of the thread.
        """
        delete_notes, insert = _build_creation(self._taken)
        key = (self.thread.id, self.thread.resource, self.thread.id)
        return (
            Statement(delete_notes, (*key, *self._taken_values)),
            Statement(insert, (*row, self._position, *self._taken_values)),
        )


@functools.lru_cache(maxsize=64)
def _build_creation(query: str) -> tuple[str, str]:
    condition = f"NOT EXISTS ({query})"
    return f"{_DELETE_OTHER_NOTES} AND {condition}", _INSERT_THREAD.format(condition)


@functools.lru_cache(maxsize=64)
def _build_condition(count: int, of_thread: str) -> tuple[str, str]:
    """Build the query for ids that other threads have taken, and a condition with this query."""
    listed = (
        ", ".join("?" * count) or "NULL"
        if count <= _MAX_BOUND_IDS
        else "SELECT value FROM json_each(?)"
    )
    taken = f"SELECT id FROM mastra_messages WHERE thread <> ? AND id IN ({listed})"
    return taken, f" AND {of_thread} AND NOT EXISTS ({taken})"
