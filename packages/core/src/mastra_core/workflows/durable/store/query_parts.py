"""The parts that the transactions on runs share: columns, rows, and lists of values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mastra_core.workflows.durable.store.run_rows import RunRow
from mastra_core.workflows.engine.run_record import FINISHED_STATUSES

__all__ = (
    "FINISHED",
    "RUN_COLUMNS",
    "UNINDEXED_WORKFLOW",
    "build_row",
    "join_placeholders",
    "split_values",
)

_FIELDS = RunRow.__struct_fields__
RUN_COLUMNS = ", ".join(_FIELDS)
FINISHED = ", ".join(f"'{status}'" for status in sorted(FINISHED_STATUSES))
# An expression instead of the column, so that no query searches the index of all runs of a
# workflow, most of which have ended.
UNINDEXED_WORKFLOW = "workflow || ''"
_CHUNK = 500  # runs whose events one query returns, and values that one query binds


def build_row(row: tuple[Any, ...]) -> RunRow:
    """Build a run from its columns.

    :param row: the values of ``RUN_COLUMNS``.
    """
    return RunRow(**dict(zip(_FIELDS, row, strict=True)))


def split_values(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Split values into sequences that are short enough for one query.

    :param values: the values.
    """
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def join_placeholders(values: Sequence[Any]) -> str:
    """Return one ``?`` for each value, joined by commas.

    :param values: the values.
    """
    return ", ".join("?" * len(values))
