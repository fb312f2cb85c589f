"""The transactions that create, find, list and delete runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mastra_core.workflows.durable.store.fingerprint_queries import PARKED
from mastra_core.workflows.durable.store.member_queries import remove_lost_members
from mastra_core.workflows.durable.store.query_parts import (
    FINISHED,
    RUN_COLUMNS,
    build_row,
    join_placeholders,
    split_values,
)
from mastra_core.workflows.durable.store.run_rows import NewRun, RunRow, RunState
from mastra_core.workflows.durable.store.transactions import Queries, Query
from mastra_core.workflows.engine.run_checks import is_storable
from mastra_core.workflows.engine.run_query import RunQuery
from mastra_core.workflows.engine.run_record import FINISHED_STATUSES

__all__ = (
    "count_runs",
    "create_run",
    "delete_run",
    "find_run",
    "list_runs",
    "purge_runs",
    "read_run",
    "read_states",
)


def find_run(workflow: str, run_id: str, scope: str | None) -> Queries[RunRow | None]:
    """Find a run; without a ``scope``, prefer a run whose creator is not confined to a resource.

    :param workflow: the id of the workflow.
    :param run_id: the id of the run.
    :param scope: the resource that the caller may access; ``None`` for any.
    """
    if not is_storable(run_id) or not is_storable(scope or ""):
        return None
    found = yield Query(
        f"SELECT {RUN_COLUMNS} FROM mastra_runs WHERE workflow = ? AND run_id = ? "  # noqa: S608  # no values
        "ORDER BY scope, id",
        (workflow, run_id),
    )
    rows = [build_row(row) for row in found]
    if scope is None:
        return rows[0] if rows else None
    own = [row for row in rows if row.scope == scope]
    of_others = [row for row in rows if not row.scope and row.resource_id == scope]
    return next(iter((*own, *of_others)), None)


_ORDERS = {"created": "created_at", "updated": "updated_at"}
# Every event but those of ``StepWrote``, which are not part of a record. An agent writes many.
_EVENTS = """SELECT run, data FROM mastra_run_events WHERE run IN ({0})
    AND substr(data, 1, 20) <> '{{"type":"step-wrote"'{1} ORDER BY run, sequence"""
# The second part shows the database that it can use the index of the runs with a resource.
_OF_RESOURCE = "resource_id = ? AND resource_id <> ''"
# The keys and paths of inner steps and of items contain a dot or a bracket.
_IS_OUTER = " AND replace(replace(key, '.', ''), '[', '') = key"
_FIRST_EVENTS = "SELECT run, data FROM mastra_run_events WHERE run IN ({0}) AND sequence = 0"
_LAST_EVENTS = """SELECT run, data FROM mastra_runs JOIN mastra_run_events ON run = id
        AND mastra_run_events.sequence > 0
        AND mastra_run_events.sequence >= mastra_runs.sequence - {1}
    WHERE id IN ({0}){2} ORDER BY run, mastra_run_events.sequence"""


def create_run(new: NewRun, max_unfinished: int) -> Queries[RunRow | None]:
    """Create a run, or return the creator's existing run with this id.

    :param new: the run.
    :param max_unfinished: the maximum number of unfinished runs of a caller; the application itself
        has no maximum.
    """
    existing = yield from find_run(new.workflow, new.run_id, new.scope)
    if existing is not None:
        return existing
    if new.caller and (yield from _is_full(new.caller, max_unfinished)):
        return None
    created = yield Query(
        f"""INSERT INTO mastra_runs (workflow, run_id, scope, resource_id, caller, thread, status,
            sequence, attempt, commits, holder, answers, takeovers, created_at, updated_at,
            settings, context)
        VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, 0, 0, '', 0, 0, ?, ?, '{{}}', '{{}}')
        ON CONFLICT (workflow, run_id, scope) DO NOTHING RETURNING {RUN_COLUMNS}""",  # noqa: S608  # no values
        (
            *(new.workflow, new.run_id, new.scope, new.resource_id, new.caller, new.thread),
            *(new.created_at, new.created_at),
        ),
    )
    if created:
        return build_row(created[0])
    found = yield from find_run(new.workflow, new.run_id, new.scope)  # another process was faster
    assert found is not None  # noqa: S101  # the conflict shows that it exists
    return found


def _is_full(caller: str, max_unfinished: int) -> Queries[bool]:
    rows = yield Query(
        "SELECT 1 FROM mastra_runs WHERE caller = ? AND caller <> '' "  # noqa: S608  # no values
        f"AND status NOT IN ({FINISHED}) LIMIT 1 OFFSET ?",
        (caller, max_unfinished - 1),
    )
    return bool(rows)


def read_run(run: int, after: int) -> Queries[tuple[RunRow, list[str]] | None]:
    """Read a run and its events.

    :param run: the key of the run.
    :param after: the number of events to skip.
    """
    rows = yield Query(f"SELECT {RUN_COLUMNS} FROM mastra_runs WHERE id = ?", (run,))  # noqa: S608  # no values
    if not rows:
        return None
    events: Sequence[tuple[Any, ...]] = ()
    row = build_row(rows[0])
    if row.sequence > after:
        events = yield Query(
            "SELECT data FROM mastra_run_events WHERE run = ? AND sequence >= ? ORDER BY sequence",
            (run, after),
        )
    return row, [data for (data,) in events][: row.sequence - after]


def read_states(runs: list[int]) -> Queries[dict[int, RunState]]:
    """Read the states of runs.

    :param runs: the keys of the runs.
    """
    states = {}
    for chunk in split_values(runs):
        rows = yield Query(
            "SELECT id, sequence, attempt, holder, answers, due_at FROM mastra_runs "  # noqa: S608  # no values
            f"WHERE id IN ({join_placeholders(chunk)})",
            chunk,
        )
        for id_, sequence, attempt, holder, answers, due_at in rows:
            states[id_] = RunState(
                sequence=sequence,
                attempt=attempt,
                holder=holder,
                answers=answers,
                is_parked=due_at == PARKED,
            )
    return states


def _build_condition(workflow: str, query: RunQuery) -> tuple[str, list[Any]]:
    condition, statuses = _build_status_condition(query)
    parts: list[str] = [condition]
    values: list[Any] = [*statuses]
    for condition, value in (
        ("workflow = ?", workflow or None),
        ("run_id = ?", query.run_id or None),
        ("substr(run_id, 1, length(?)) = ?", query.run_id_prefix or None),
        ("length(run_id) = ?", query.run_id_length),
        (_OF_RESOURCE, query.resource_id or None),
        ("thread = ?", query.thread or None),
        ("created_at >= ?", query.since),
        ("created_at <= ?", query.until),
        ("updated_at >= ?", query.updated_since),
    ):
        if isinstance(value, str) and not is_storable(value):
            parts.append("1 = 0")
        elif value is not None:
            parts.append(condition)
            values += [value] * condition.count("?")
    return " AND ".join(parts), values


def _build_status_condition(query: RunQuery) -> tuple[str, list[str]]:
    """Return the condition for the statuses of a query, and its values."""
    if not query.statuses:
        return "1 = 1", []
    statuses = [status for status in query.statuses if is_storable(status)]
    return f"status IN ({join_placeholders(statuses)})" if statuses else "1 = 0", statuses


def list_runs(workflow: str, query: RunQuery) -> Queries[list[tuple[RunRow, list[str]]]]:
    """List runs with their events, newest first.

    :param workflow: the id of the workflow; empty for all workflows.
    :param query: selects the runs.
    """
    condition, values = _build_condition(workflow, query)
    order = _ORDERS[query.order]
    if query.after is not None:
        condition += f" AND ({order}, id) < (?, ?)"
        values += query.after
    limit = 2**52 if query.limit is None else query.limit
    rows = yield Query(
        f"SELECT {RUN_COLUMNS} FROM mastra_runs WHERE {condition} "  # noqa: S608  # no values
        f"ORDER BY {order} DESC, id DESC LIMIT ? OFFSET ?",
        (*values, limit, query.offset),
    )
    found = [(build_row(row), list[str]()) for row in rows]
    events = {row.id: data for row, data in found}
    for select in _select_events([row for row, _ in found], query):
        for run, data in (yield select):
            events[run].append(data)
    return found


def _select_events(rows: Sequence[RunRow], query: RunQuery) -> Iterator[Query]:
    """Yield the queries for the events of listed runs."""
    if query.last_events is not None:
        yield from _select_last_events(rows, query.last_events, has_status=bool(query.statuses))
        return
    reads_all = query.finished_steps == "all"
    finished = [row.id for row in rows if row.status in FINISHED_STATUSES and not reads_all]
    others = {row.id for row in rows}.difference(finished)
    if query.finished_steps == "none":
        yield from _select_ends(finished, 1, f" AND status IN ({FINISHED})")
    else:
        yield from _select_runs(_EVENTS, finished, _IS_OUTER)
    yield from _select_runs(_EVENTS, sorted(others), "")


def _select_last_events(rows: Sequence[RunRow], last: int, *, has_status: bool) -> Iterator[Query]:
    """Yield the queries for the last events of listed runs, which a query may select by status."""
    if not has_status:
        yield from _select_ends([row.id for row in rows], last, "")
        return
    # A run that has left its status since its row was read has other last events.
    for status in sorted({row.status for row in rows}):
        runs = [row.id for row in rows if row.status == status]
        yield from _select_ends(runs, last, " AND status = ?", status)


def _select_ends(runs: Sequence[int], last: int, condition: str, *values: str) -> Iterator[Query]:
    """Yield the queries for the first event and the last events of runs."""
    yield from _select_runs(_FIRST_EVENTS, runs)
    yield from _select_runs(_LAST_EVENTS, runs, last, condition, values=values)


def _select_runs(
    select: str, runs: Sequence[int], *parts: object, values: Sequence[str] = ()
) -> Iterator[Query]:
    """Yield queries that each read at most a few hundred runs."""
    for chunk in split_values(runs):
        sql = select.format(join_placeholders(chunk), *parts)
        yield Query(sql, [*chunk, *values])


def count_runs(workflow: str, query: RunQuery) -> Queries[dict[str, int]]:
    """Count runs by status.

    :param workflow: the id of the workflow; empty for all workflows.
    :param query: selects the runs.
    """
    condition, values = _build_condition(workflow, query)
    # The index by status has no resources. An expression keeps SQLite from using this index.
    status = "status || ''" if query.resource_id else "status"
    sql = f"SELECT {status}, count(*) FROM mastra_runs WHERE {condition} GROUP BY 1"  # noqa: S608  # no values
    return dict((yield Query(sql, values)))


def delete_run(run: int, *, only_pending: bool) -> Queries[None]:
    """Delete a run.

    :param run: the key of the run.
    :param only_pending: whether to keep a run that was started.
    """
    condition = " AND status = 'pending'" if only_pending else ""
    yield Query(f"DELETE FROM mastra_runs WHERE id = ?{condition}", (run,))  # noqa: S608  # no values


def purge_runs(finished_before: int, pending_before: int, limit: int, now: str) -> Queries[int]:
    """Delete old runs, and return their number.

    :param finished_before: delete runs that ended before this time, in milliseconds since the
        epoch.
    :param pending_before: delete runs that were created before this time and never started.
    :param limit: the maximum number of runs to delete.
    :param now: an SQL expression for the present time.
    """
    yield from remove_lost_members(now)  # no process checks those of other machines
    rows = yield Query(
        "SELECT id FROM mastra_runs WHERE "  # noqa: S608  # no values
        f"(status IN ({FINISHED}) AND updated_at < ?) "
        "OR (status = 'pending' AND updated_at < ?) LIMIT ?",
        (finished_before, pending_before, limit),
    )
    runs = [id_ for (id_,) in rows]
    for chunk in split_values(runs):  # a run that was begun in between stays
        yield Query(
            f"DELETE FROM mastra_runs WHERE id IN ({join_placeholders(chunk)}) "  # noqa: S608  # no values
            f"AND holder = '' AND status IN ('pending', {FINISHED})",
            chunk,
        )
    return len(runs)
