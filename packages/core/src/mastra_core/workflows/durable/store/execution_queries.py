"""The transactions that begin, continue and record the execution of a run."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_core.workflows.durable.store.end_queries import cancel_children, report_end
from mastra_core.workflows.durable.store.journal_queries import (
    build_answer_query,
    build_event_query,
    build_rewind_queries,
    select_open_waits,
)
from mastra_core.workflows.durable.store.query_parts import FINISHED, RUN_COLUMNS, build_row
from mastra_core.workflows.durable.store.run_rows import Batch, CommitResult, RunRow
from mastra_core.workflows.durable.store.transactions import Queries, Query
from mastra_core.workflows.engine.run_events import get_timestamp_ms
from mastra_core.workflows.engine.run_record import FINISHED_STATUSES

__all__ = (
    "answer_waits",
    "begin_execution",
    "commit_batch",
)


def begin_execution(
    row: RunRow,
    values: tuple[str, str, str, str | None, int | None, str],
    keep: set[str] | None,
    drop: set[str],
    now: str,
) -> Queries[RunRow | None]:
    """Begin an execution, unless the run has changed since the caller read the run.

    :param row: the run's row, as the caller read it before.
    :param values: the process, the JSON of the first event, of the settings and of the request
        context, the priority, and the fingerprint.
    :param keep: the keys of the outcomes that stay; ``None`` if the run forgets its whole journal
        and its child runs.
    :param drop: the keys of the events that may be emitted again, and of the answers that the run
        forgets.
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
        rewind = yield from build_rewind_queries(row.id, keep, drop)
    rows = yield Query(
        f"""UPDATE mastra_runs SET status = 'running', sequence = sequence + 1,
            attempt = attempt + 1, commits = 0, holder = ?, takeovers = 0, due_at = {now},
            updated_at = ?, settings = ?, context = coalesce(?, context),
            priority = coalesce(?, priority), fingerprint = ?
        WHERE id = ? AND attempt = ? AND sequence = ? AND commits = ?
        RETURNING {RUN_COLUMNS}""",  # noqa: S608  # no values
        (
            *(holder, get_timestamp_ms(), settings, context, priority),
            *(fingerprint or row.fingerprint, row.id, row.attempt, row.sequence, commits),
        ),
        dependents=[build_event_query(row.id, [("", event)]), *rewind],
    )
    if not rows:
        return None
    if row.attempt and keep is None:  # its children belong to an earlier execution
        yield from _release_children(row.id, now)
    return build_row(rows[0])


def _release_children(run: int, now: str) -> Queries[None]:
    yield Query("UPDATE mastra_runs SET parent_waits = 0 WHERE parent = ?", (run,))
    yield from cancel_children(run, now)
    yield Query("UPDATE mastra_runs SET parent = NULL WHERE parent = ?", (run,))


def commit_batch(
    run: int, fence: tuple[str, int, int], batch: Batch, now: str
) -> Queries[CommitResult]:
    """Store a batch, if the process still holds the run in the same attempt.

    :param run: the key of the run.
    :param fence: the process, its attempt, and the number of earlier commits of this attempt.
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
            *(len(batch.events), batch.status, get_timestamp_ms(), bool(batch.outcomes)),
            *(batch.releases, run, *fence, *expected),
        ),
        dependents=_store_batch(run, fence, batch),
    )
    if not rows:
        return (yield from _explain_refusal(run, fence))
    sequence: int = rows[0][0]
    if batch.status in FINISHED_STATUSES:
        yield from report_end(rows[0][1:], batch.events[-1][1], now)
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
        queries.append(build_answer_query(run, "wake", [(key, str(at)) for key, at in batch.wakes]))
    if batch.events:
        queries.append(build_event_query(run, batch.events))
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
    :param data: the JSON of the data that resumes the waits.
    :param context: the JSON of the new request context; ``None`` if it stays.
    :param now: an SQL expression for the present time.
    """
    # The update comes first: it locks the row, so that no other answer comes in between.
    locked = yield Query(
        "UPDATE mastra_runs SET updated_at = updated_at WHERE id = ? "  # noqa: S608  # no values
        f"AND status NOT IN ({FINISHED}) RETURNING attempt, answers",
        (run,),
    )
    if not locked:
        return None, 0
    waits = yield from select_open_waits(run, [key for key, _ in answers])
    new = [(key, event) for key, event in answers if key in waits]
    if not new:
        return None, 0
    rows = yield Query(
        f"""UPDATE mastra_runs SET sequence = sequence + ?, answers = answers + ?,
            status = 'running', updated_at = ?, context = coalesce(?, context), due_at = {now},
            attempt = attempt + CASE WHEN holder = '' AND ? THEN 1 ELSE 0 END,
            commits = CASE WHEN holder = '' THEN 0 ELSE commits END,
            holder = CASE WHEN holder = '' THEN ? ELSE holder END
        WHERE id = ? AND attempt = ? AND answers = ? AND status NOT IN ({FINISHED})
        RETURNING {RUN_COLUMNS}""",  # noqa: S608  # no values
        (len(new), len(new), get_timestamp_ms(), context, bool(holder), holder, run, *locked[0]),
        dependents=[
            build_answer_query(run, "answer", [(key, data) for key, _ in new]),
            build_event_query(run, [("", event) for _, event in new]),
        ],
    )
    if not rows:  # a database without locks, and the run has changed since it was read
        return (yield from answer_waits(run, holder, answers, data, context, now))
    return build_row(rows[0]), len(new)
