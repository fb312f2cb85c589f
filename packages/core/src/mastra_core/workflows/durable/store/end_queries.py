"""The transactions that cancel runs, and that report the end of a run to its parent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mastra_core.schema import encode_json
from mastra_core.workflows.durable.store.journal_queries import (
    build_answer_query,
    build_event_query,
)
from mastra_core.workflows.durable.store.query_parts import FINISHED
from mastra_core.workflows.durable.store.transactions import Queries, Query
from mastra_core.workflows.engine.run_events import RunFinished, get_timestamp_ms

__all__ = (
    "cancel_children",
    "cancel_run",
    "deliver_end",
    "report_end",
)


def cancel_run(run: int, event: str, now: str, *, has_locks: bool = True) -> Queries[bool]:
    """End a run that has not ended, and all runs that it has started.

    :param run: the key of the run.
    :param event: the JSON of the event.
    :param now: an SQL expression for the present time.
    :param has_locks: whether the database locks rows. If the database does not lock rows, the first
        query also checks whether child runs exist, so that a run without child runs ends in one
        batch.
    """
    children = "SELECT 1 FROM mastra_runs AS child WHERE child.parent = mastra_runs.id"
    has_children = "1" if has_locks else f"EXISTS ({children})"
    rows = yield Query(
        "UPDATE mastra_runs SET status = 'canceled', sequence = sequence + 1, "  # noqa: S608  # no values
        "attempt = attempt + 1, holder = '', due_at = NULL, updated_at = ? "
        f"WHERE id = ? AND status NOT IN ({FINISHED}) "
        f"RETURNING {has_children}, parent, parent_key, parent_waits",
        (get_timestamp_ms(), run),
        dependents=[build_event_query(run, [("", event)])],
    )
    if not rows:
        return False
    may_have_children, *parent = rows[0]
    # A statement of its own: the snapshot of the update is older than the lock of the run, so it
    # lacks a child that was started while the update waited.
    if may_have_children:
        yield from cancel_children(run, now)
    yield from report_end(parent, event, now)
    return True


def cancel_children(run: int, now: str) -> Queries[None]:
    """End the unfinished child runs of a run, and recursively their child runs.

    :param run: the key of the run.
    :param now: an SQL expression for the present time.
    """
    children = yield Query(
        f"SELECT id FROM mastra_runs WHERE parent = ? AND status NOT IN ({FINISHED})",  # noqa: S608  # no values
        (run,),
    )
    for (child,) in children:
        event = encode_json(RunFinished(status="canceled")).decode()
        yield from cancel_run(child, event, now)


def report_end(parent: Sequence[Any], event: str, now: str) -> Queries[None]:
    """Report the end of a run to its parent, if the parent waits for the run.

    :param parent: the key of the parent run, the key of the parent's wait for this run, and whether
        the parent waits for the end of this run.
    :param event: the JSON of the last event of the run.
    :param now: an SQL expression for the present time.
    """
    key, wait, is_awaited = parent
    if key is not None and is_awaited:
        yield from deliver_end(key, wait, event, now)


def deliver_end(parent: int, wait: str, event: str, now: str) -> Queries[None]:
    """Resume, at most once, the wait of a parent run for the end of its child run.

    :param parent: the key of the run that waits.
    :param wait: the key of the wait.
    :param event: the JSON of the last event of the run that has ended.
    :param now: an SQL expression for the present time.
    """
    # The lock of the row comes first: a parent that rests at this moment must see the answer.
    locked = yield Query(
        "UPDATE mastra_runs SET updated_at = updated_at WHERE id = ? "  # noqa: S608  # no values
        f"AND status NOT IN ({FINISHED}) RETURNING id",
        (parent,),
    )
    known = yield Query(
        "SELECT 1 FROM mastra_run_answers WHERE run = ? AND key = ?", (parent, wait)
    )
    if locked and not known:
        yield build_answer_query(parent, "answer", [(wait, event)])
        yield Query(
            f"UPDATE mastra_runs SET answers = answers + 1, due_at = {now} WHERE id = ?",  # noqa: S608  # no values
            (parent,),
        )
