"""The transactions on fingerprints, and on runs that no living process can execute."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_core.workflows.durable.store.claim_queries import build_due_condition
from mastra_core.workflows.durable.store.query_parts import (
    FINISHED,
    RUN_COLUMNS,
    build_row,
    join_placeholders,
)
from mastra_core.workflows.durable.store.run_rows import (
    Backlog,
    KnownWorkflow,
    ParkedRuns,
    RunRow,
)
from mastra_core.workflows.durable.store.run_schema import RANK
from mastra_core.workflows.durable.store.transactions import Queries, Query
from mastra_core.workflows.engine.run_checks import is_storable
from mastra_core.workflows.engine.run_record import OPEN_STATUSES

__all__ = (
    "PARKED",
    "count_unfinished",
    "has_parked",
    "has_unknown",
    "list_unfinished",
    "list_workflows",
    "measure_backlog",
    "move_run",
    "park_runs",
    "store_workflows",
    "unpark_runs",
)

# The ``due_at`` of a parked run, which is never due. Whatever else changes the run sets another
# time. JavaScript, and therefore D1, has no greater integer.
PARKED = 2**53 - 1
# The priority is bounded, so the comparison of the rank bounds the search in the index.
_IS_PARKED = (
    f"holder = '' AND due_at IS NOT NULL AND {RANK} >= {PARKED - 10**9} AND due_at = {PARKED}"
)
_STARTED = ", ".join(f"'{status}'" for status in sorted(OPEN_STATUSES | {"paused"}))
_FIELDS = KnownWorkflow.__struct_fields__


def store_workflows(workflows: Sequence[KnownWorkflow]) -> Queries[None]:
    """Store the descriptions of workflows, unless they are stored already.

    :param workflows: the descriptions.
    """
    yield Query(
        f"INSERT INTO mastra_run_fingerprints ({', '.join(_FIELDS)}) "  # noqa: S608  # no values
        "VALUES (?, ?, ?, ?) ON CONFLICT (fingerprint) DO NOTHING",
        [tuple(getattr(each, field) for field in _FIELDS) for each in workflows],
        many=True,
    )


def list_workflows(workflow: str) -> Queries[list[KnownWorkflow]]:
    """List the stored descriptions of a workflow, newest first.

    :param workflow: the id of the workflow.
    """
    if not is_storable(workflow):
        return []
    rows = yield Query(
        f"SELECT {', '.join(_FIELDS)} FROM mastra_run_fingerprints WHERE workflow = ? "  # noqa: S608  # no values
        "ORDER BY created_at DESC, fingerprint",
        (workflow,),
    )
    return [KnownWorkflow(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


def list_unfinished(fingerprint: str, after: int, limit: int) -> Queries[list[RunRow]]:
    """List the started, unfinished runs with a fingerprint, ordered by their keys.

    :param fingerprint: the fingerprint.
    :param after: return only runs whose key is greater.
    :param limit: the maximum number of runs to return.
    """
    if not is_storable(fingerprint):
        return []
    rows = yield Query(
        f"SELECT {RUN_COLUMNS} FROM mastra_runs WHERE fingerprint = ? AND id > ? "  # noqa: S608  # no values
        f"AND status NOT IN ({FINISHED}) ORDER BY id LIMIT ?",
        (fingerprint, after, limit),
    )
    return [build_row(row) for row in rows]


def count_unfinished(workflow: str) -> Queries[dict[str, int]]:
    """Count the started, unfinished runs of a workflow by fingerprint.

    :param workflow: the id of the workflow.
    """
    if not is_storable(workflow):
        return {}
    rows = yield Query(
        "SELECT fingerprint, count(*) FROM mastra_runs WHERE workflow = ? "  # noqa: S608  # no values
        f"AND status IN ({_STARTED}) GROUP BY fingerprint",
        (workflow,),
    )
    return dict(rows)


def _list_unknown(now: str) -> Queries[tuple[list[str], list[str]]]:
    """Return the SQL conditions for runs without a living process, and the values to bind.

    Each condition uses another index, because SQLite would scan all stored runs if OR joined the
    conditions.
    """
    alive = f"lease_until > {now}"
    members = yield Query(f"SELECT fingerprints FROM mastra_run_members WHERE {alive}")  # noqa: S608  # no values
    known = sorted({each for (text,) in members for each in text.split()})
    others = f" AND fingerprint NOT IN ({join_placeholders(known)})" if known else ""
    holders = f"SELECT id FROM mastra_run_members WHERE {alive}"  # noqa: S608  # no values
    lost = f"holder <> '' AND holder NOT IN ({holders})"
    return [build_due_condition(now) + others, lost + others], known


def has_unknown(now: str) -> Queries[bool]:
    """Return whether there are waiting runs that no living process can execute.

    :param now: an SQL expression for the present time.
    """
    conditions, known = yield from _list_unknown(now)
    for condition in conditions:
        if (yield Query(f"SELECT id FROM mastra_runs WHERE {condition} LIMIT 1", known)):  # noqa: S608  # no values
            return True
    return False


def park_runs(limit: int, now: str, locking: str) -> Queries[list[ParkedRuns]]:
    """Park due runs, and runs of dead processes, that no living process can execute.

    :param limit: the maximum number of runs to park.
    :param now: an SQL expression for the present time.
    :param locking: the SQL clause that makes the query skip locked rows.
    :returns: the parked runs by fingerprint.
    """
    conditions, known = yield from _list_unknown(now)
    rows: list[tuple[str, str, int]] = []
    for condition in conditions:
        selection = f"SELECT id FROM mastra_runs WHERE {condition} LIMIT ? {locking}"  # noqa: S608  # no values
        rows += yield Query(
            f"""UPDATE mastra_runs SET due_at = {PARKED}, holder = '',
                takeovers = takeovers + CASE WHEN holder = '' THEN 0 ELSE 1 END
            WHERE id IN ({selection}) RETURNING workflow, fingerprint, updated_at""",  # noqa: S608  # no values
            (*known, limit - len(rows)),
        )
    groups: dict[tuple[str, str], list[int]] = {}
    for workflow, fingerprint, updated_at in rows:
        groups.setdefault((workflow, fingerprint), []).append(updated_at)
    return [
        ParkedRuns(workflow=workflow, fingerprint=mark, count=len(times), oldest=min(times))
        for (workflow, mark), times in sorted(groups.items())
    ]


def _select_parked(fingerprints: Sequence[str]) -> str:
    return (
        f"SELECT id FROM mastra_runs WHERE {_IS_PARKED} "  # noqa: S608  # no values
        f"AND fingerprint IN ({join_placeholders(fingerprints)}) LIMIT ?"
    )


def has_parked(fingerprints: Sequence[str]) -> Queries[bool]:
    """Return whether runs with one of the fingerprints are parked.

    :param fingerprints: the fingerprints.
    """
    return bool((yield Query(_select_parked(fingerprints), (*fingerprints, 1))))


def unpark_runs(fingerprints: Sequence[str], limit: int, locking: str) -> Queries[int]:
    """Let processes execute the parked runs again, and return the number of these runs.

    :param fingerprints: the fingerprints of the runs.
    :param limit: the maximum number of runs to unpark.
    :param locking: the SQL clause that makes the query skip locked rows.
    """
    selection = _select_parked(fingerprints)
    rows = yield Query(
        f"UPDATE mastra_runs SET due_at = 0 WHERE id IN ({selection} {locking}) RETURNING id",  # noqa: S608  # no values
        (*fingerprints, limit),
    )
    return len(rows)


def measure_backlog(now: str) -> Queries[Backlog]:
    """Count the runs that wait for a process.

    :param now: an SQL expression for the present time.
    """
    due = yield Query(
        "SELECT count(*), min(CASE WHEN due_at > 0 THEN due_at ELSE updated_at END) "  # noqa: S608  # no values
        f"FROM mastra_runs WHERE {build_due_condition(now)}"
    )
    parked = yield Query(
        "SELECT workflow, fingerprint, count(*), min(updated_at) FROM mastra_runs "  # noqa: S608  # no values
        f"WHERE {_IS_PARKED} GROUP BY workflow, fingerprint "
        "ORDER BY workflow, fingerprint"
    )
    return Backlog(
        due=due[0][0],
        oldest=due[0][1],
        parked=tuple(
            ParkedRuns(workflow=workflow, fingerprint=fingerprint, count=count, oldest=oldest)
            for workflow, fingerprint, count, oldest in parked
        ),
    )


def move_run(row: RunRow, fingerprint: str) -> Queries[bool]:
    """Let a run continue with another fingerprint, unless the run has changed or is executed.

    :param row: the run's row, as the caller read it before.
    :param fingerprint: the new fingerprint.
    """
    rows = yield Query(
        f"""UPDATE mastra_runs SET fingerprint = ?, attempt = attempt + 1, commits = 0,
            due_at = CASE WHEN due_at = {PARKED} THEN 0 ELSE due_at END
        WHERE id = ? AND holder = '' AND attempt = ? AND sequence = ? AND fingerprint = ?
        RETURNING id""",  # noqa: S608  # no values
        (fingerprint, row.id, row.attempt, row.sequence, row.fingerprint),
    )
    return bool(rows)
