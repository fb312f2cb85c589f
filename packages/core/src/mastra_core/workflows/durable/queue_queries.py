"""The transactions on the queues of workflows that have a maximum number of concurrent runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_core.workflows.durable.run_queries import (
    UNINDEXED_WORKFLOW,
    build_due_condition,
    claim_selected,
)
from mastra_core.workflows.durable.run_rows import RunRow, join_placeholders
from mastra_core.workflows.durable.run_schema import RANK
from mastra_core.workflows.durable.transactions import Queries, Query

__all__ = ("claim_from_queues", "claim_one_by_one", "list_open_workflows")

_COUNT = f"SELECT count(*) FROM mastra_runs WHERE holder <> '' AND {UNINDEXED_WORKFLOW} = ?"  # noqa: S608  # no values


def list_open_workflows(limits: Mapping[str, int | None], now: str) -> Queries[list[str]]:
    """List the workflows of which a process could execute a waiting run.

    :param limits: the maximum number of concurrent runs of each workflow; ``None`` for no maximum.
    :param now: an SQL expression for the present time.
    """
    due = f"{build_due_condition(now)} AND {UNINDEXED_WORKFLOW}"
    waiting = f"EXISTS (SELECT 1 FROM mastra_runs WHERE {due}"  # noqa: S608  # no values
    parts: list[str] = []
    values: list[Any] = []
    groups: list[list[str]] = []
    for name, limit in limits.items():
        if limit is not None:
            parts.append(f"({waiting} = ?) AND ({_COUNT}) < ?)")
            values += (name, name, limit)
            groups.append([name])
    if free := [name for name, limit in limits.items() if limit is None]:
        parts.append(f"{waiting} IN ({join_placeholders(free)}))")
        values += free
        groups.append(free)
    (row,) = yield Query(f"SELECT {', '.join(parts)}", values)  # no values
    return [name for group, is_open in zip(groups, row, strict=True) if is_open for name in group]


def claim_from_queues(
    holder: str, limits: Mapping[str, int | None], limit: int, now: str, locking: str
) -> Queries[list[RunRow]]:
    """Assign runs to a process, and exceed the maximum of no workflow.

    :param holder: the process.
    :param limits: the maximum number of concurrent runs of each workflow; ``None`` for no maximum.
    :param limit: the maximum number of runs of the process.
    :param now: an SQL expression for the present time.
    :param locking: what the selection adds to skip locked rows.
    """
    waiting: list[tuple[int, int]] = []
    for name in sorted(limits):  # in one order, so that two processes do not wait for each other
        maximum = limits[name]
        if maximum is not None:
            free = maximum - (yield from _count_locked_queue(name, maximum))
            waiting += yield from _select_due([name], min(limit, free), now, locking)
    unlimited = [name for name, maximum in limits.items() if maximum is None]
    waiting += yield from _select_due(unlimited, limit, now, locking)
    return (yield from claim_selected(holder, [id_ for _, id_ in sorted(waiting)[:limit]]))


def claim_one_by_one(
    holder: str, limits: Mapping[str, int | None], limit: int, now: str
) -> Queries[list[RunRow]]:
    """Assign runs to a process like ``claim_from_queues``, in a database without locks.

    Each statement counts the held runs, and therefore exceeds no maximum.

    :param holder: the process.
    :param limits: the maximum number of concurrent runs of each workflow; ``None`` for no maximum.
    :param limit: the maximum number of runs of the process.
    :param now: an SQL expression for the present time.
    """
    claimed: list[RunRow] = []
    for name, maximum in limits.items():
        waiting = yield from _select_due([name], limit - len(claimed), now, "")
        if maximum is None:
            claimed += yield from claim_selected(holder, [id_ for _, id_ in waiting])
            continue
        for _, id_ in waiting:
            condition = f"AND ({_COUNT}) < ?"
            claimed += yield from claim_selected(holder, [id_], condition, (name, maximum))
    return claimed


def _count_locked_queue(workflow: str, maximum: int) -> Queries[int]:
    """Lock the queue of a workflow until the end of the transaction, and count the held runs.

    The statement that counts begins after the lock, and therefore sees what the previous owner of
    the lock has claimed.
    """
    yield Query(
        "INSERT INTO mastra_run_queues (workflow, concurrency) VALUES (?, ?) "
        "ON CONFLICT (workflow) DO UPDATE SET concurrency = excluded.concurrency",
        (workflow, maximum),
    )
    rows = yield Query(_COUNT, (workflow,))
    count: int = rows[0][0]
    return count


def _select_due(
    names: list[str], limit: int, now: str, locking: str
) -> Queries[list[tuple[int, int]]]:
    """Return the ranks and keys of the first waiting runs."""
    if not names or limit <= 0:
        return []
    workflows = f"{UNINDEXED_WORKFLOW} IN ({join_placeholders(names)})"
    rows = yield Query(
        f"SELECT {RANK}, id FROM mastra_runs WHERE {build_due_condition(now)} "  # noqa: S608  # no values
        f"AND {workflows} ORDER BY {RANK} LIMIT ? {locking}",
        (*names, limit),
    )
    return [(rank, id_) for rank, id_ in rows]
