"""The transactions on runs, as generators of queries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from mastra_core.schema import encode_json
from mastra_core.workflows.durable.run_rows import (
    Batch,
    CommitResult,
    JournalData,
    Member,
    NewRun,
    RunRow,
    RunState,
    join_placeholders,
)
from mastra_core.workflows.durable.run_schema import RANK
from mastra_core.workflows.durable.transactions import Queries, Query
from mastra_core.workflows.engine.run_events import RunFinished
from mastra_core.workflows.engine.run_query import RunQuery
from mastra_core.workflows.engine.run_record import FINISHED_STATUSES

__all__ = (
    "UNINDEXED_WORKFLOW",
    "answer_waits",
    "begin_execution",
    "build_due_condition",
    "cancel_children",
    "cancel_run",
    "claim_runs",
    "claim_selected",
    "commit_batch",
    "count_runs",
    "create_run",
    "delete_runs",
    "deliver_end",
    "find_run",
    "has_claimable",
    "list_members",
    "list_runs",
    "purge_runs",
    "read_journal",
    "read_run",
    "read_states",
    "release_runs",
    "remove_members",
    "report_member",
)

_FIELDS = RunRow.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_MEMBER_COLUMNS = ", ".join(Member.__struct_fields__)
_FINISHED = ", ".join(f"'{status}'" for status in sorted(FINISHED_STATUSES))
# A list of workflows must not lead to the index of all runs, most of which have ended.
UNINDEXED_WORKFLOW = "workflow || ''"
_HOUR = 3_600_000  # milliseconds
_CHUNK = 500  # runs whose events one query returns, and values that one query binds


def _get_time() -> int:
    return time.time_ns() // 1_000_000


def _to_row(row: tuple[Any, ...]) -> RunRow:
    return RunRow(**dict(zip(_FIELDS, row, strict=True)))


def _chunk(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def find_run(workflow: str, run_id: str, scope: str | None) -> Queries[RunRow | None]:
    """Find a run; prefer a run whose creator is not restricted to a resource.

    :param workflow: the id of the workflow.
    :param run_id: the id of the run.
    :param scope: the resource that the caller may access; ``None`` for any.
    """
    sql = f"SELECT {_COLUMNS} FROM mastra_runs WHERE workflow = ? AND run_id = ? ORDER BY scope, id"  # noqa: S608  # no values
    rows = [_to_row(row) for row in (yield Query(sql, (workflow, run_id)))]
    if scope is None:
        return rows[0] if rows else None
    own = [row for row in rows if row.scope == scope]
    of_others = [row for row in rows if not row.scope and row.resource_id == scope]
    return next(iter((*own, *of_others)), None)


def create_run(new: NewRun, max_unfinished: int) -> Queries[RunRow | None]:
    """Create a run, or return the creator's existing run with this id.

    :param new: the run.
    :param max_unfinished: the maximum number of unfinished runs of a caller with a name.
    """
    existing = yield from find_run(new.workflow, new.run_id, new.scope)
    if existing is not None:
        return existing
    if new.caller and (yield from _is_full(new.caller, max_unfinished)):
        return None
    created = yield Query(
        f"""INSERT INTO mastra_runs (workflow, run_id, scope, resource_id, caller, status,
            sequence, attempt, commits, holder, answers, takeovers, created_at, updated_at,
            settings, context)
        VALUES (?, ?, ?, ?, ?, 'pending', 0, 0, 0, '', 0, 0, ?, ?, '{{}}', '{{}}')
        ON CONFLICT (workflow, run_id, scope) DO NOTHING RETURNING {_COLUMNS}""",  # noqa: S608  # no values
        (
            *(new.workflow, new.run_id, new.scope, new.resource_id, new.caller),
            *(new.created_at, new.created_at),
        ),
    )
    if created:
        return _to_row(created[0])
    found = yield from find_run(new.workflow, new.run_id, new.scope)  # another process was faster
    assert found is not None  # noqa: S101  # the conflict shows that it exists
    return found


def _is_full(caller: str, max_unfinished: int) -> Queries[bool]:
    rows = yield Query(
        "SELECT 1 FROM mastra_runs WHERE caller = ? AND caller <> '' "  # noqa: S608  # no values
        f"AND status NOT IN ({_FINISHED}) LIMIT 1 OFFSET ?",
        (caller, max_unfinished - 1),
    )
    return bool(rows)


def read_run(run: int, after: int) -> Queries[tuple[RunRow, list[str]] | None]:
    """Read a run and its events.

    :param run: the key of the run.
    :param after: the number of events to skip.
    """
    rows = yield Query(f"SELECT {_COLUMNS} FROM mastra_runs WHERE id = ?", (run,))  # noqa: S608  # no values
    if not rows:
        return None
    events: Sequence[tuple[Any, ...]] = ()
    row = _to_row(rows[0])
    if row.sequence > after:
        events = yield Query(
            "SELECT data FROM mastra_run_events WHERE run = ? AND sequence >= ? ORDER BY sequence",
            (run, after),
        )
    return row, [data for (data,) in events][: row.sequence - after]


def read_journal(run: int) -> Queries[JournalData]:
    """Read the journal of a run.

    :param run: the key of the run.
    """
    runs = yield Query("SELECT answers FROM mastra_runs WHERE id = ?", (run,))
    outcomes = yield Query(
        "SELECT key, data FROM mastra_run_outcomes WHERE run = ? ORDER BY number", (run,)
    )
    keys = yield Query("SELECT key FROM mastra_run_events WHERE run = ? AND key <> ''", (run,))
    waits = yield Query("SELECT key, kind, data FROM mastra_run_answers WHERE run = ?", (run,))
    return JournalData(
        outcomes=dict(outcomes),
        emitted={key for (key,) in keys},
        answers={key: data for key, kind, data in waits if kind == "answer"},
        wakes={key: float(data) for key, kind, data in waits if kind == "wake"},
        answer_count=runs[0][0] if runs else 0,  # a run that was deleted refuses each commit
    )


def read_states(runs: list[int]) -> Queries[dict[int, RunState]]:
    """Read the states of runs.

    :param runs: the keys of the runs.
    """
    states = {}
    for chunk in _chunk(runs):
        rows = yield Query(
            "SELECT id, sequence, attempt, holder, answers FROM mastra_runs "  # noqa: S608  # no values
            f"WHERE id IN ({join_placeholders(chunk)})",
            chunk,
        )
        for id_, sequence, attempt, holder, answers in rows:
            states[id_] = RunState(
                sequence=sequence, attempt=attempt, holder=holder, answers=answers
            )
    return states


def _add_events(run: int, events: Sequence[tuple[str, str]]) -> Query:
    """Build the query that stores events, whose number was added to the row of the run before."""
    count = len(events)
    return Query(
        "INSERT INTO mastra_run_events (run, sequence, key, data) "
        "VALUES (?, (SELECT sequence FROM mastra_runs WHERE id = ?) - ?, ?, ?)",
        [(run, run, count - index, key, data) for index, (key, data) in enumerate(events)],
        many=True,
    )


def begin_execution(
    row: RunRow,
    values: tuple[str, str, str, str | None, int | None, str],
    keep: set[str] | None,
    drop: set[str],
    now: str,
) -> Queries[RunRow | None]:
    """Begin an execution, unless the run has changed since the caller read the run.

    :param row: the run as the caller has read it.
    :param values: the process, the JSON of the first event, of the settings and of the request
        context, the priority, and the fingerprint.
    :param keep: the keys of the outcomes that stay; ``None`` if the run forgets all outcomes
        and its child runs.
    :param drop: the keys of the events that may be emitted again.
    :param now: an SQL expression for the present time.
    """
    holder, event, settings, context, priority, fingerprint = values
    commits, rewind = 0, list[Query]()
    if row.attempt:
        # The lock comes first, so that the holder stores no further outcome.
        locked = yield Query(
            "UPDATE mastra_runs SET updated_at = updated_at "
            "WHERE id = ? AND attempt = ? AND sequence = ? RETURNING commits",
            (row.id, row.attempt, row.sequence),
        )
        if not locked:
            return None
        commits = locked[0][0]
        rewind = yield from _rewind_journal(row.id, keep or set(), drop)
    rows = yield Query(
        f"""UPDATE mastra_runs SET status = 'running', sequence = sequence + 1,
            attempt = attempt + 1, commits = 0, holder = ?, takeovers = 0, due_at = {now},
            updated_at = ?, settings = ?, context = coalesce(?, context),
            priority = coalesce(?, priority), fingerprint = ?
        WHERE id = ? AND attempt = ? AND sequence = ? AND commits = ?
        RETURNING {_COLUMNS}""",  # noqa: S608  # no values
        (
            *(holder, _get_time(), settings, context, priority, fingerprint or row.fingerprint),
            *(row.id, row.attempt, row.sequence, commits),
        ),
        dependents=[_add_events(row.id, [("", event)]), *rewind],
    )
    if not rows:
        return None
    if row.attempt and keep is None:  # its child runs belong to the earlier execution
        yield from _release_children(row.id, now)
    return _to_row(rows[0])


def _release_children(run: int, now: str) -> Queries[None]:
    yield Query("UPDATE mastra_runs SET parent_waits = 0 WHERE parent = ?", (run,))
    yield from cancel_children(run, now)
    yield Query("UPDATE mastra_runs SET parent = NULL WHERE parent = ?", (run,))


def _rewind_journal(run: int, keep: set[str], drop: set[str]) -> Queries[list[Query]]:
    """Build the queries that remove outcomes and answers from the journal."""
    outcomes = yield Query("SELECT key FROM mastra_run_outcomes WHERE run = ?", (run,))
    gone = [(run, key) for (key,) in outcomes if key not in keep]
    queries = []
    if gone:
        sql = "DELETE FROM mastra_run_outcomes WHERE run = ? AND key = ?"
        queries.append(Query(sql, gone, many=True))
    if drop:
        dropped = [(run, key) for key in sorted(drop)]
        sql = "UPDATE mastra_run_events SET key = '' WHERE run = ? AND key = ?"
        queries.append(Query(sql, dropped, many=True))
        sql = "DELETE FROM mastra_run_answers WHERE run = ? AND key = ?"
        queries.append(Query(sql, dropped, many=True))
    return queries


def commit_batch(
    run: int, fence: tuple[str, int, int], batch: Batch, now: str
) -> Queries[CommitResult]:
    """Store a batch, if the process still holds the run in the same attempt.

    :param run: the key of the run.
    :param fence: the process, its attempt, and the number of earlier commits of the attempt.
    :param batch: the batch to store.
    :param now: an SQL expression for the present time.
    """
    condition = "" if batch.answers is None else " AND answers = ?"
    expected = () if batch.answers is None else (batch.answers,)
    due = "0" if not batch.releases else "NULL"
    if batch.releases and batch.due_in is not None:
        due = f"{now} + {batch.due_in}"
    rows = yield Query(
        f"""UPDATE mastra_runs SET sequence = sequence + ?, commits = commits + 1,
            status = coalesce(?, status), updated_at = ?,
            takeovers = CASE WHEN ? THEN 0 ELSE takeovers END,
            holder = CASE WHEN ? THEN '' ELSE holder END,
            due_at = {due}
        WHERE id = ? AND holder = ? AND attempt = ? AND commits = ?{condition}
        RETURNING sequence, parent, parent_key, parent_waits""",  # noqa: S608  # no values
        (
            *(len(batch.events), batch.status, _get_time(), bool(batch.outcomes), batch.releases),
            *(run, *fence, *expected),
        ),
        dependents=_store_batch(run, fence, batch),
    )
    if not rows:
        return (yield from _explain_refusal(run, fence))
    sequence: int = rows[0][0]
    if batch.status in FINISHED_STATUSES:
        yield from _report_end(rows[0][1:], batch.events[-1][1], now)
    return CommitResult("stored", sequence)


def _store_batch(run: int, fence: tuple[str, int, int], batch: Batch) -> list[Query]:
    """Build the queries that store the parts of a batch."""
    _, attempt, number = fence
    queries = []
    if batch.outcomes:
        # Numbers only sort outcomes, and D1 stores no larger numbers than JavaScript can represent.
        first = (attempt << 38) + (number << 14)
        queries.append(
            Query(
                "INSERT INTO mastra_run_outcomes (run, key, number, data) VALUES (?, ?, ?, ?)",
                [
                    (run, key, first + index, data)
                    for index, (key, data) in enumerate(batch.outcomes)
                ],
                many=True,
            )
        )
    if batch.wakes:
        queries.append(_add_answers(run, "wake", [(key, str(at)) for key, at in batch.wakes]))
    if batch.events:
        queries.append(_add_events(run, batch.events))
    return queries


def _explain_refusal(run: int, fence: tuple[str, int, int]) -> Queries[CommitResult]:
    holder, attempt, number = fence
    rows = yield Query(
        "SELECT sequence, holder, attempt, commits FROM mastra_runs WHERE id = ?", (run,)
    )
    if not rows or rows[0][2] != attempt:
        return CommitResult("refused")
    sequence, present_holder, _, commits = rows[0]
    if commits == number + 1:  # stored before the connection was lost
        return CommitResult("stored", sequence)
    return CommitResult("answered" if present_holder == holder else "refused", sequence)


def _add_answers(run: int, kind: str, answers: Sequence[tuple[str, str]]) -> Query:
    return Query(
        "INSERT INTO mastra_run_answers (run, key, kind, data) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (run, key) DO NOTHING",
        [(run, key, kind, data) for key, data in answers],
        many=True,
    )


def answer_waits(
    run: int,
    holder: str,
    answers: Sequence[tuple[str, str]],
    data: str,
    context: str | None,
    now: str,
) -> Queries[tuple[RunRow | None, int]]:
    """Resume the waits that have not been resumed yet.

    :param run: the key of the run.
    :param holder: the process.
    :param answers: the key of each wait, and the JSON of its event.
    :param data: the JSON of the data.
    :param context: the JSON of the new request context; ``None`` if it stays.
    :param now: an SQL expression for the present time.
    """
    # The update comes first: it locks the row, so that no other answer comes in between.
    locked = yield Query(
        "UPDATE mastra_runs SET updated_at = updated_at WHERE id = ? "  # noqa: S608  # no values
        f"AND status NOT IN ({_FINISHED}) RETURNING attempt, answers",
        (run,),
    )
    if not locked:
        return None, 0
    waits = yield from _select_open_waits(run, [key for key, _ in answers])
    new = [(key, event) for key, event in answers if key in waits]
    if not new:
        return None, 0
    rows = yield Query(
        f"""UPDATE mastra_runs SET sequence = sequence + ?, answers = answers + ?,
            status = 'running', updated_at = ?, context = coalesce(?, context), due_at = {now},
            attempt = attempt + CASE WHEN holder = '' AND ? THEN 1 ELSE 0 END,
            commits = CASE WHEN holder = '' THEN 0 ELSE commits END,
            holder = CASE WHEN holder = '' THEN ? ELSE holder END
        WHERE id = ? AND attempt = ? AND answers = ? AND status NOT IN ({_FINISHED})
        RETURNING {_COLUMNS}""",  # noqa: S608  # no values
        (len(new), len(new), _get_time(), context, bool(holder), holder, run, *locked[0]),
        dependents=[
            _add_answers(run, "answer", [(key, data) for key, _ in new]),
            _add_events(run, [("", event) for _, event in new]),
        ],
    )
    if not rows:  # a database without locks, and the run has changed since it was read
        return (yield from answer_waits(run, holder, answers, data, context, now))
    return _to_row(rows[0]), len(new)


def _select_open_waits(run: int, keys: Sequence[str]) -> Queries[set[str]]:
    """Return the keys of the waits that exist and have no answer yet."""
    answered = yield from _select_keys("mastra_run_answers", run, keys)
    # A rewind at the same time may have removed the outcome that waits.
    outcomes = ["#".join(key.rsplit("!", 1)) for key in keys]
    suspended = yield from _select_keys("mastra_run_outcomes", run, outcomes)
    return {"!".join(key.rsplit("#", 1)) for key in suspended} - answered


def _select_keys(table: str, run: int, keys: Sequence[str]) -> Queries[set[str]]:
    """Return those of the keys that a table has for a run."""
    found: set[str] = set()
    for chunk in _chunk(keys):
        rows = yield Query(
            f"SELECT key FROM {table} WHERE run = ? AND key IN ({join_placeholders(chunk)})",  # noqa: S608  # no values
            (run, *chunk),
        )
        found |= {key for (key,) in rows}
    return found


def _report_end(parent: Sequence[Any], event: str, now: str) -> Queries[None]:
    """Tell the parent of a run, if it waits for the run, that the run has ended."""
    key, wait, is_awaited = parent
    if key is not None and is_awaited:
        yield from deliver_end(key, wait, event, now)


def deliver_end(parent: int, wait: str, event: str, now: str) -> Queries[None]:
    """Resume the wait of a run for the end of another run, once.

    :param parent: the key of the run that waits.
    :param wait: the key of the wait.
    :param event: the JSON of the last event of the other run.
    :param now: an SQL expression for the present time.
    """
    # The lock of the row comes first: a parent that rests at this moment must see the answer.
    locked = yield Query(
        "UPDATE mastra_runs SET updated_at = updated_at WHERE id = ? "  # noqa: S608  # no values
        f"AND status NOT IN ({_FINISHED}) RETURNING id",
        (parent,),
    )
    known = yield Query(
        "SELECT 1 FROM mastra_run_answers WHERE run = ? AND key = ?", (parent, wait)
    )
    if locked and not known:
        yield _add_answers(parent, "answer", [(wait, event)])
        yield Query(
            f"UPDATE mastra_runs SET answers = answers + 1, due_at = {now} WHERE id = ?",  # noqa: S608  # no values
            (parent,),
        )


def cancel_run(run: int, event: str, now: str, *, has_locks: bool = True) -> Queries[bool]:
    """End a run that has not ended, and all runs that it has started.

    :param run: the key of the run.
    :param event: the JSON of the event.
    :param now: an SQL expression for the present time.
    :param has_locks: whether the database locks rows. Without locks, the first query also looks
        for child runs, so that a run without child runs ends in one batch.
    """
    children = "SELECT 1 FROM mastra_runs AS child WHERE child.parent = mastra_runs.id"
    has_children = "1" if has_locks else f"EXISTS ({children})"
    rows = yield Query(
        "UPDATE mastra_runs SET status = 'canceled', sequence = sequence + 1, "  # noqa: S608  # no values
        "attempt = attempt + 1, holder = '', due_at = NULL, updated_at = ? "
        f"WHERE id = ? AND status NOT IN ({_FINISHED}) "
        f"RETURNING {has_children}, parent, parent_key, parent_waits",
        (_get_time(), run),
        dependents=[_add_events(run, [("", event)])],
    )
    if not rows:
        return False
    may_have_children, *parent = rows[0]
    # A statement of its own: the snapshot of the update is older than the lock of the run, so it
    # lacks a child that was started while the update waited.
    if may_have_children:
        yield from cancel_children(run, now)
    yield from _report_end(parent, event, now)
    return True


def cancel_children(run: int, now: str) -> Queries[None]:
    """End the unfinished runs that a run has started, and the runs that these have started.

    :param run: the key of the run.
    :param now: an SQL expression for the present time.
    """
    children = yield Query(
        f"SELECT id FROM mastra_runs WHERE parent = ? AND status NOT IN ({_FINISHED})",  # noqa: S608  # no values
        (run,),
    )
    for (child,) in children:
        event = encode_json(RunFinished(status="canceled")).decode()
        yield from cancel_run(child, event, now)


def build_due_condition(now: str) -> str:
    """Return the SQL condition for runs that wait for a process.

    PostgreSQL searches an index only for a value that cannot change, so the time is in a subquery.
    SQLite searches an index of expressions only for a value without a type, so the time has a sum.

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
    :param orphans: select the runs of dead processes, instead of the runs that are due.
    """
    values = (*([holder] if orphans else ()), *names, 1)
    return bool((yield Query(_select_claimable(names, now, orphans=orphans), values)))


def claim_runs(
    holder: str, names: list[str], limit: int, now: str, locking: str, *, orphans: bool
) -> Queries[list[RunRow]]:
    """Assign runs to a process.

    :param holder: the process.
    :param names: the fingerprints of the workflows that the process executes.
    :param limit: the maximum number of runs.
    :param now: an SQL expression for the present time.
    :param locking: what the selection adds to skip locked rows.
    :param orphans: select the runs of dead processes, instead of the runs that are due.
    """
    selection = _select_claimable(names, now, orphans=orphans)
    rows = yield Query(
        f"""UPDATE mastra_runs SET attempt = attempt + 1, commits = 0, holder = ?,
            takeovers = takeovers + CASE WHEN holder = '' THEN 0 ELSE 1 END
        WHERE id IN ({selection} {locking}) RETURNING {_COLUMNS}""",  # noqa: S608  # no values
        (holder, *([holder] if orphans else ()), *names, limit),
    )
    return [_to_row(row) for row in rows]


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
    for chunk in _chunk(runs):
        rows += yield Query(
            "UPDATE mastra_runs SET attempt = attempt + 1, commits = 0, holder = ? "  # noqa: S608  # no values
            f"WHERE id IN ({join_placeholders(chunk)}) AND holder = '' {condition} "
            f"RETURNING {_COLUMNS}",
            (holder, *chunk, *values),
        )
    return [_to_row(row) for row in rows]


def release_runs(member: str) -> Queries[None]:
    """Give up all runs of a process, and remove the id of the process.

    :param member: the id of the process.
    """
    yield Query("UPDATE mastra_runs SET holder = '', due_at = 0 WHERE holder = ?", (member,))
    yield Query("DELETE FROM mastra_run_members WHERE id = ?", (member,))


def list_held(member: str) -> Queries[dict[int, int]]:
    """Return the runs that a process holds: the number of the attempt by the key of the run.

    :param member: the id of the process.
    """
    rows = yield Query("SELECT id, attempt FROM mastra_runs WHERE holder = ?", (member,))
    return dict(rows)


def release_run(run: int, member: str, attempt: int) -> Queries[None]:
    """Give up one run, so that any process can continue it.

    :param run: the key of the run.
    :param member: the id of the process.
    :param attempt: the attempt that the process holds.
    """
    yield Query(
        """UPDATE mastra_runs SET holder = '', due_at = 0
        WHERE id = ? AND holder = ? AND attempt = ?""",
        (run, member, attempt),
    )


def report_member(member: Member, until: str) -> Queries[None]:
    """Record that a process is alive.

    :param member: the process.
    :param until: an SQL expression for the end of the lease.
    """
    yield Query(
        f"INSERT INTO mastra_run_members ({_MEMBER_COLUMNS}, lease_until) "  # noqa: S608  # no values
        f"VALUES (?, ?, ?, ?, ?, {until}) ON CONFLICT (id) DO UPDATE "
        f"SET fingerprints = excluded.fingerprints, lease_until = {until}",
        (*(member.id, member.name, member.machine, member.process), " ".join(member.fingerprints)),
    )


def list_members(since: str) -> Queries[list[Member]]:
    """List the processes that have reported.

    :param since: an SQL expression; the leases of the processes end later.
    """
    rows = yield Query(
        f"SELECT {_MEMBER_COLUMNS} FROM mastra_run_members WHERE lease_until > {since}"  # noqa: S608  # no values
    )
    return [
        Member(
            id=id_,
            name=name,
            machine=machine,
            process=process,
            fingerprints=tuple(fingerprints.split()),
        )
        for id_, name, machine, process, fingerprints in rows
    ]


def remove_members(ids: list[str]) -> Queries[None]:
    """Remove processes.

    :param ids: the ids of the processes.
    """
    for chunk in _chunk(ids):
        sql = f"DELETE FROM mastra_run_members WHERE id IN ({join_placeholders(chunk)})"  # noqa: S608  # no values
        yield Query(sql, chunk)


def _build_condition(workflow: str, query: RunQuery) -> tuple[str, list[Any]]:
    parts: list[str] = ["1 = 1"]
    values: list[Any] = []
    for condition, value in (
        ("workflow = ?", workflow or None),
        ("run_id = ?", query.run_id or None),
        ("substr(run_id, 1, length(?)) = ?", query.run_id_prefix or None),
        ("status = ?", query.status or None),
        ("resource_id = ?", query.resource_id or None),
        ("created_at >= ?", query.since),
        ("created_at <= ?", query.until),
    ):
        if value is not None:
            parts.append(condition)
            values += [value] * condition.count("?")
    return " AND ".join(parts), values


def list_runs(workflow: str, query: RunQuery) -> Queries[list[tuple[RunRow, list[str]]]]:
    """List runs with their events, newest first.

    :param workflow: the id of the workflow; empty for all workflows.
    :param query: selects the runs.
    """
    condition, values = _build_condition(workflow, query)
    limit = 2**52 if query.limit is None else query.limit
    rows = yield Query(
        f"SELECT {_COLUMNS} FROM mastra_runs WHERE {condition} "  # noqa: S608  # no values
        "ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        (*values, limit, query.offset),
    )
    found = [(_to_row(row), list[str]()) for row in rows]
    events = {row.id: data for row, data in found}
    for chunk in _chunk([*events]):
        stored = yield Query(
            "SELECT run, data FROM mastra_run_events "  # noqa: S608  # no values
            f"WHERE run IN ({join_placeholders(chunk)}) ORDER BY run, sequence",
            chunk,
        )
        for run, data in stored:
            events[run].append(data)
    return found


def count_runs(workflow: str, query: RunQuery) -> Queries[dict[str, int]]:
    """Count runs by status.

    :param workflow: the id of the workflow; empty for all workflows.
    :param query: selects the runs.
    """
    condition, values = _build_condition(workflow, query)
    sql = f"SELECT status, count(*) FROM mastra_runs WHERE {condition} GROUP BY status"  # noqa: S608  # no values
    return dict((yield Query(sql, values)))


def delete_runs(runs: Sequence[int]) -> Queries[None]:
    """Delete runs.

    :param runs: the keys of the runs.
    """
    for chunk in _chunk(runs):
        yield Query(f"DELETE FROM mastra_runs WHERE id IN ({join_placeholders(chunk)})", chunk)  # noqa: S608  # no values


def purge_runs(finished_before: int, pending_before: int, limit: int, now: str) -> Queries[int]:
    """Delete old runs, and return their number.

    :param finished_before: the time before which finished runs have ended.
    :param pending_before: the time before which pending runs were created.
    :param limit: the maximum number of runs.
    :param now: an SQL expression for the present time.
    """
    # Processes of other machines that have died. A process that returns reports again.
    yield Query(f"DELETE FROM mastra_run_members WHERE lease_until < {now} - {_HOUR}")  # noqa: S608  # no values
    rows = yield Query(
        "SELECT id FROM mastra_runs WHERE "  # noqa: S608  # no values
        f"(status IN ({_FINISHED}) AND updated_at < ?) "
        "OR (status = 'pending' AND updated_at < ?) LIMIT ?",
        (finished_before, pending_before, limit),
    )
    runs = [id_ for (id_,) in rows]
    for chunk in _chunk(runs):  # a run that was begun in between stays
        yield Query(
            f"DELETE FROM mastra_runs WHERE id IN ({join_placeholders(chunk)}) "  # noqa: S608  # no values
            f"AND holder = '' AND status IN ('pending', {_FINISHED})",
            chunk,
        )
    return len(runs)
