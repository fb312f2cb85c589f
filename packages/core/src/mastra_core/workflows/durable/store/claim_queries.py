"""The transactions that assign runs to processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mastra_core.workflows.durable.store.member_queries import remove_members
from mastra_core.workflows.durable.store.query_parts import (
    RUN_COLUMNS,
    build_row,
    join_placeholders,
    split_values,
)
from mastra_core.workflows.durable.store.run_rows import RunRow
from mastra_core.workflows.durable.store.run_schema import RANK
from mastra_core.workflows.durable.store.transactions import Queries, Query

__all__ = (
    "build_due_condition",
    "claim_runs",
    "claim_selected",
    "has_claimable",
    "list_held",
    "release_run",
    "release_runs",
)


def build_due_condition(now: str) -> str:
    """Return the SQL condition for runs that wait for a process.

    PostgreSQL uses an index only for a value that is constant in the query, so the time is in a
    subquery. SQLite uses an index on an expression only for a value without type affinity; adding 0
    removes the affinity.

    :param now: an SQL expression for the present time.
    """
    # No rank is later than its time, so the first comparison bounds the search in the index.
    return (
        f"holder = '' AND due_at IS NOT NULL AND {RANK} <= (SELECT {now} + 0) "
        f"AND due_at <= (SELECT {now})"
    )


def _select_claimable(names: list[str], now: str, *, orphans: bool) -> str:
    living = f"SELECT id FROM mastra_run_members WHERE lease_until > {now}"  # noqa: S608  # no values
    condition = (
        f"holder <> '' AND holder <> ? AND holder NOT IN ({living})"
        if orphans
        else build_due_condition(now)
    )
    return (
        f"SELECT id FROM mastra_runs WHERE {condition} "  # noqa: S608  # no values
        f"AND fingerprint IN ({join_placeholders(names)}) ORDER BY {RANK} LIMIT ?"
    )


def has_claimable(holder: str, names: list[str], now: str, *, orphans: bool) -> Queries[bool]:
    """Return whether a process could execute a run.

    :param holder: the process.
    :param names: the fingerprints of the workflows that the process executes.
    :param now: an SQL expression for the present time.
    :param orphans: whether to select the runs of dead processes instead of the runs that are due.
    """
    values = (*([holder] if orphans else ()), *names, 1)
    return bool((yield Query(_select_claimable(names, now, orphans=orphans), values)))


def claim_runs(
    holder: str, names: list[str], limit: int, now: str, locking: str, *, orphans: bool
) -> Queries[list[RunRow]]:
    """Assign runs to a process.

    :param holder: the process.
    :param names: the fingerprints of the workflows that the process executes.
    :param limit: the maximum number of runs to assign.
    :param now: an SQL expression for the present time.
    :param locking: the SQL clause that makes the query skip locked rows.
    :param orphans: select the runs of dead processes, instead of the runs that are due.
    """
    selection = _select_claimable(names, now, orphans=orphans)
    rows = yield Query(
        f"""UPDATE mastra_runs SET attempt = attempt + 1, commits = 0, holder = ?,
            takeovers = takeovers + CASE WHEN holder = '' THEN 0 ELSE 1 END
        WHERE id IN ({selection} {locking}) RETURNING {RUN_COLUMNS}""",  # noqa: S608  # no values
        (holder, *([holder] if orphans else ()), *names, limit),
    )
    return [build_row(row) for row in rows]


def claim_selected(
    holder: str, runs: Sequence[int], condition: str = "", values: Sequence[Any] = ()
) -> Queries[list[RunRow]]:
    """Assign the selected runs to a process, except runs that another process holds.

    :param holder: the process.
    :param runs: the keys of the runs.
    :param condition: a further SQL condition, which begins with ``AND``.
    :param values: the values of the condition.
    """
    rows: list[tuple[Any, ...]] = []
    for chunk in split_values(runs):
        rows += yield Query(
            "UPDATE mastra_runs SET attempt = attempt + 1, commits = 0, holder = ? "  # noqa: S608  # no values
            f"WHERE id IN ({join_placeholders(chunk)}) AND holder = '' {condition} "
            f"RETURNING {RUN_COLUMNS}",
            (holder, *chunk, *values),
        )
    return [build_row(row) for row in rows]


def release_runs(member: str, *, counts: bool) -> Queries[None]:
    """Release all runs that a process holds, and delete the process from the store.

    :param member: the id of the process.
    :param counts: whether to increase the number of takeovers of each run, as after the death of a
        process.
    """
    yield Query(
        "UPDATE mastra_runs SET holder = '', due_at = 0, takeovers = takeovers + ? "
        "WHERE holder = ?",
        (int(counts), member),
    )
    yield from remove_members([member])


def list_held(member: str) -> Queries[dict[int, int]]:
    """Return the attempt number of each run that a process holds, by the key of the run.

    :param member: the id of the process.
    """
    rows = yield Query("SELECT id, attempt FROM mastra_runs WHERE holder = ?", (member,))
    return dict(rows)


def release_run(run: int, member: str, attempt: int) -> Queries[None]:
    """Release one run, so that any process can continue it.

    :param run: the key of the run.
    :param member: the id of the process.
    :param attempt: the attempt that the process holds.
    """
    yield Query(
        """UPDATE mastra_runs SET holder = '', due_at = 0
        WHERE id = ? AND holder = ? AND attempt = ?""",
        (run, member, attempt),
    )
