"""The queries on the journal of a run: outcomes, events and answers."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_core.workflows.durable.store.query_parts import join_placeholders, split_values
from mastra_core.workflows.durable.store.run_rows import JournalData
from mastra_core.workflows.durable.store.transactions import Queries, Query

__all__ = (
    "build_answer_query",
    "build_event_query",
    "build_rewind_queries",
    "read_journal",
    "select_open_waits",
)


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


def build_event_query(run: int, events: Sequence[tuple[str, str]]) -> Query:
    """Build the query that stores events.

    An earlier query must have increased the run's ``sequence`` by the number of events.

    :param run: the key of the run.
    :param events: the key and the JSON of each event.
    """
    count = len(events)
    return Query(
        "INSERT INTO mastra_run_events (run, sequence, key, data) "
        "VALUES (?, (SELECT sequence FROM mastra_runs WHERE id = ?) - ?, ?, ?)",
        [(run, run, count - index, key, data) for index, (key, data) in enumerate(events)],
        many=True,
    )


def build_answer_query(run: int, kind: str, answers: Sequence[tuple[str, str]]) -> Query:
    """Build the query that stores answers, except for waits that already have an answer.

    :param run: the key of the run.
    :param kind: ``answer`` for data, or ``wake`` for the end of a sleep.
    :param answers: pairs of the key of a wait and the text of its answer.
    """
    return Query(
        "INSERT INTO mastra_run_answers (run, key, kind, data) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (run, key) DO NOTHING",
        [(run, key, kind, data) for key, data in answers],
        many=True,
    )


def build_rewind_queries(run: int, keep: set[str] | None, drop: set[str]) -> Queries[list[Query]]:
    """Build the queries that remove outcomes and answers from the journal.

    :param run: the key of the run.
    :param keep: the keys of the outcomes that stay; ``None`` to remove the whole journal.
    :param drop: the keys of the events that may be emitted again, and the keys of the answers to
        remove.
    """
    if keep is None:
        return [
            Query("DELETE FROM mastra_run_outcomes WHERE run = ?", (run,)),
            Query("UPDATE mastra_run_events SET key = '' WHERE run = ? AND key <> ''", (run,)),
            Query("DELETE FROM mastra_run_answers WHERE run = ?", (run,)),
        ]
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


def select_open_waits(run: int, keys: Sequence[str]) -> Queries[set[str]]:
    """Return the keys of the waits that exist and have no answer yet.

    :param run: the key of the run.
    :param keys: the keys of the waits.
    """
    answered = yield from _select_keys("mastra_run_answers", run, keys)
    # A rewind at the same time may have removed the outcome that waits.
    outcomes = ["#".join(key.rsplit("!", 1)) for key in keys]
    suspended = yield from _select_keys("mastra_run_outcomes", run, outcomes)
    return {"!".join(key.rsplit("#", 1)) for key in suspended} - answered


def _select_keys(table: str, run: int, keys: Sequence[str]) -> Queries[set[str]]:
    """Return those of ``keys`` that a table contains for a run."""
    found: set[str] = set()
    for chunk in split_values(keys):
        rows = yield Query(
            f"SELECT key FROM {table} WHERE run = ? AND key IN ({join_placeholders(chunk)})",  # noqa: S608  # no values
            (run, *chunk),
        )
        found |= {key for (key,) in rows}
    return found
