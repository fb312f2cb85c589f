"""The transactions on the queues of workflows that have a maximum number of concurrent runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mastra_core.workflows.durable.store.claim_queries import build_due_condition, claim_selected
from mastra_core.workflows.durable.store.query_parts import UNINDEXED_WORKFLOW, join_placeholders
from mastra_core.workflows.durable.store.run_rows import RunRow
from mastra_core.workflows.durable.store.run_schema import RANK
from mastra_core.workflows.durable.store.transactions import Queries, Query

__all__ = (
    "Queue",
    "claim_from_queues",
    "claim_one_by_one",
    "group_queues",
    "list_open_queues",
)

_COUNT = f"SELECT count(*) FROM mastra_runs WHERE holder <> '' AND {UNINDEXED_WORKFLOW} = ?"  # noqa: S608  # no values


class Queue(NamedTuple):
    """The waiting runs of one workflow with a limit, or of all workflows without a limit.

    :param workflow: the id of the workflow; empty for workflows without a maximum.
    :param fingerprints: the fingerprints of the workflows that the process executes.
    :param maximum: the maximum number of concurrent runs; ``None`` for no maximum.
    """

    workflow: str
    fingerprints: tuple[str, ...]
    maximum: int | None


def group_queues(workflows: Mapping[str, str], concurrency: Mapping[str, int]) -> list[Queue]:
    """Return the queues of workflows, each with its fingerprints.

    :param workflows: the ids of the workflows by fingerprint.
    :param concurrency: the maximum number of concurrent runs by the id of the workflow.
    """
    groups: dict[str, list[str]] = {}
    for fingerprint, workflow in sorted(workflows.items()):
        groups.setdefault(workflow if workflow in concurrency else "", []).append(fingerprint)
    return [
        Queue(workflow, tuple(fingerprints), concurrency.get(workflow))
        for workflow, fingerprints in groups.items()
    ]


def list_open_queues(queues: Sequence[Queue], now: str) -> Queries[list[Queue]]:
    """List the queues that have a waiting run which a process may execute now.

    :param queues: the queues.
    :param now: an SQL expression for the present time.
    """
    parts: list[str] = []
    values: list[Any] = []
    for queue in queues:
        names = join_placeholders(queue.fingerprints)
        waiting = f"{build_due_condition(now)} AND fingerprint IN ({names})"
        part = f"EXISTS (SELECT 1 FROM mastra_runs WHERE {waiting})"  # noqa: S608  # no values
        values += queue.fingerprints
        if queue.maximum is not None:
            part += f" AND ({_COUNT}) < ?"
            values += (queue.workflow, queue.maximum)
        parts.append(f"({part}) AS open_{len(parts)}")  # D1 returns rows by the names of columns
    (row,) = yield Query(f"SELECT {', '.join(parts)}", values)  # no values
    return [queue for queue, is_open in zip(queues, row, strict=True) if is_open]


def claim_from_queues(
    holder: str, queues: Sequence[Queue], limit: int, now: str, locking: str
) -> Queries[list[RunRow]]:
    """Assign runs to a process, up to the maximum of each workflow.

    :param holder: the process.
    :param queues: the queues.
    :param limit: the maximum number of runs to assign to the process.
    :param now: an SQL expression for the present time.
    :param locking: the SQL clause that makes the query skip locked rows.
    """
    waiting: list[tuple[int, int]] = []
    for queue in sorted(queues):  # in one order, so that two processes do not wait for each other
        free = limit
        if queue.maximum is not None:
            free = queue.maximum - (yield from _count_locked_queue(queue.workflow, queue.maximum))
        waiting += yield from _select_due(queue.fingerprints, min(limit, free), now, locking)
    return (yield from claim_selected(holder, [id_ for _, id_ in sorted(waiting)[:limit]]))


def claim_one_by_one(
    holder: str, queues: Sequence[Queue], limit: int, now: str
) -> Queries[list[RunRow]]:
    """Assign runs to a process like ``claim_from_queues``, in a database without locks.

    Each statement counts the runs that processes hold, so that it assigns no more than the maximum.

    :param holder: the process.
    :param queues: the queues.
    :param limit: the maximum number of runs to assign to the process.
    :param now: an SQL expression for the present time.
    """
    claimed: list[RunRow] = []
    for queue in queues:
        waiting = yield from _select_due(queue.fingerprints, limit - len(claimed), now, "")
        if queue.maximum is None:
            claimed += yield from claim_selected(holder, [id_ for _, id_ in waiting])
            continue
        condition, values = f"AND ({_COUNT}) < ?", (queue.workflow, queue.maximum)
        for _, id_ in waiting:
            claimed += yield from claim_selected(holder, [id_], condition, values)
    return claimed


def _count_locked_queue(workflow: str, maximum: int) -> Queries[int]:
    """Lock the queue of a workflow until the end of the transaction, and count the held runs.

    The count begins after the lock was acquired, so that it includes the runs that the previous
    owner of the lock claimed.
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
    fingerprints: Sequence[str], limit: int, now: str, locking: str
) -> Queries[list[tuple[int, int]]]:
    """Return the rank and the key of the waiting runs that are next in order."""
    if limit <= 0:
        return []
    rows = yield Query(
        f"SELECT {RANK}, id FROM mastra_runs WHERE {build_due_condition(now)} "  # noqa: S608  # no values
        f"AND fingerprint IN ({join_placeholders(fingerprints)}) ORDER BY {RANK} LIMIT ? {locking}",
        (*fingerprints, limit),
    )
    return [(rank, id_) for rank, id_ in rows]
