"""The transactions on runs that other runs have started."""

from __future__ import annotations

from typing import Any

from mastra_core.workflows.durable.store.end_queries import deliver_end
from mastra_core.workflows.durable.store.execution_queries import begin_execution
from mastra_core.workflows.durable.store.run_queries import create_run, read_run
from mastra_core.workflows.durable.store.run_rows import ChildStart, NewRun, RunRow
from mastra_core.workflows.durable.store.transactions import Queries, Query
from mastra_core.workflows.engine.run_record import FINISHED_STATUSES

__all__ = ("list_children", "start_child")

_FAILED = FINISHED_STATUSES - {"success"}


def start_child(
    parent: RunRow,
    wait: tuple[str, bool],
    new: NewRun,
    values: tuple[str, str],
    max_unfinished: int,
    now: str,
) -> Queries[ChildStart]:
    """Start a child run for a parent run, unless the child run was started before.

    :param parent: the row of the run that starts the child run, as the executing process has read
        it.
    :param wait: the key of the parent's wait, and whether the parent waits for the child's end.
    :param new: the run.
    :param values: the JSON of the first event of the child run, and the JSON of its settings.
    :param max_unfinished: the maximum number of unfinished runs of a caller; the application itself
        has no maximum.
    :param now: an SQL expression for the present time.
    """
    # The lock of the parent comes first: a cancellation at the same time finds the child.
    holds = yield Query(
        "UPDATE mastra_runs SET updated_at = updated_at "
        "WHERE id = ? AND holder = ? AND attempt = ? RETURNING context",
        (parent.id, parent.holder, parent.attempt),
    )
    if not holds:
        return ChildStart("refused")
    existing = yield from _find_child(parent.id, wait[0], now)
    if existing is not None:
        return ChildStart("started", existing)
    created = yield from create_run(new, max_unfinished)
    if created is None:
        return ChildStart("full")
    yield Query(
        "UPDATE mastra_runs SET parent = ?, parent_key = ?, parent_waits = ? WHERE id = ?",
        (parent.id, wait[0], int(wait[1]), created.id),
    )
    event, settings = values
    begun = ("", event, settings, holds[0][0], parent.priority, new.fingerprint)
    yield from begin_execution(created, begun, set(), set(), now)
    return ChildStart("started", created.run_id)


def _find_child(parent: int, wait: str, now: str) -> Queries[str | None]:
    """Return the id of the child run of a wait; ``None`` if the caller must start a new one."""
    rows: Any = yield _select_child(parent, wait)
    if not rows:
        return None
    answers = yield Query(
        "SELECT 1 FROM mastra_run_answers WHERE run = ? AND key = ?", (parent, wait)
    )
    if answers:
        return str(rows[0][1])
    # A restart counts attempts from 1 again, so a later attempt may have a run that goes on.
    step, _, attempt = wait.rpartition("!")
    number = int(attempt)
    while rows and rows[0][2] in _FAILED:
        number += 1
        rows = yield _select_child(parent, f"{step}!{number}")
    if not rows:
        return None
    child, run_id, status, is_awaited = rows[0]
    if number != int(attempt):  # the child may have ended since it was read
        ((status,),) = yield Query(
            "UPDATE mastra_runs SET parent_key = ? WHERE id = ? RETURNING status", (wait, child)
        )
    if is_awaited and status in FINISHED_STATUSES:
        ended = yield from read_run(child, 0)
        assert ended is not None  # noqa: S101  # this transaction has found the child
        yield from deliver_end(parent, wait, ended[1][-1], now)
    return str(run_id)


def _select_child(parent: int, wait: str) -> Query:
    return Query(
        "SELECT id, run_id, status, parent_waits FROM mastra_runs "
        "WHERE parent = ? AND parent_key = ? ORDER BY id DESC LIMIT 1",
        (parent, wait),
    )


def list_children(run: int) -> Queries[list[tuple[str, str, str]]]:
    """List the runs that a run has started: workflow, id and status.

    :param run: the key of the run.
    """
    rows = yield Query(
        "SELECT workflow, run_id, status FROM mastra_runs WHERE parent = ? ORDER BY id", (run,)
    )
    return [(workflow, run_id, status) for workflow, run_id, status in rows]
