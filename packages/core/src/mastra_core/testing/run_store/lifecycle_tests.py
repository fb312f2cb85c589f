"""Create, begin, cancel, discard and purge runs."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.testing.run_store.run_store_fixtures import (
    EVENT,
    Run,
    RunStoreFixtures,
    begin_run,
    build_run,
)
from mastra_core.workflows.durable import Batch, RunStore
from mastra_core.workflows.engine.run_events import get_timestamp_ms
from mastra_core.workflows.engine.run_query import RunQuery

__all__ = ("RunLifecycleTests",)


class RunLifecycleTests(RunStoreFixtures):
    """Test that runs are created, executed, canceled and deleted."""

    def test_run_is_created_once(self, store: RunStore, run: Run) -> None:
        """The id of a run is unique for its creator."""
        first = run(store.create(build_run(), 10))
        assert run(store.create(build_run(), 10)) == first
        assert run(store.find("w", "r1", None)) == first
        assert run(store.find("w", "r1", "ann")) is None
        other = run(store.create(build_run(scope="ann", resource_id="ann"), 10))
        assert other.id != first.id
        assert run(store.find("w", "r1", "ann")) == other
        assert run(store.find("other", "r1", None)) is None

    def test_caller_has_a_limited_number_of_runs(self, store: RunStore, run: Run) -> None:
        """Finished runs and runs of the application itself do not count toward a caller's limit."""
        new = [msgspec.structs.replace(build_run(f"r{each}"), caller="ann") for each in range(4)]
        rows = [run(store.create(each, 2)) for each in new[:2]]
        assert run(store.create(new[2], 2)) is None
        assert run(store.create(new[1], 2)) == rows[1]
        assert run(store.create(build_run("other"), 2)) is not None
        run(store.cancel(rows[0].id, EVENT))
        assert run(store.create(new[3], 2)) is not None

    def test_run_is_begun_once(self, store: RunStore, run: Run) -> None:
        """If two callers begin an execution of one run, only one of them succeeds."""
        created = run(store.create(build_run(), 10))
        row = run(store.begin(created, "one", EVENT, "{}", '{"user":"ann"}'))
        assert (row.holder, row.attempt, row.sequence, row.status) == ("one", 1, 1, "running")
        assert row.context == '{"user":"ann"}'
        assert run(store.begin(created, "two", EVENT, "{}")) is None

    def test_canceled_run_ends_everywhere(self, store: RunStore, run: Run) -> None:
        """A run is canceled once, and the process that holds the run can no longer change it."""
        row = begin_run(store, run)
        assert run(store.cancel(row.id, EVENT))
        assert not run(store.cancel(row.id, EVENT))
        assert run(store.commit(row.id, "one", 1, 0, Batch())).kind == "refused"
        assert run(store.answer(row.id, "two", [("a!1", EVENT)], "1")) == (None, 0)
        assert run(store.read(row.id))[0].status == "canceled"

    def test_only_a_pending_run_is_discarded(self, store: RunStore, run: Run) -> None:
        """After an invalid input, only a run that nobody has started is deleted."""
        row, created = begin_run(store, run), run(store.create(build_run("r2"), 10))
        for each in (row, created):
            run(store.delete(each.id, only_pending=True))
        assert run(store.find("w", "r1", None)) == row
        assert run(store.find("w", "r2", None)) is None
        run(store.delete(row.id))
        assert run(store.find("w", "r1", None)) is None

    def test_old_runs_are_purged(self, store: RunStore, run: Run) -> None:
        """Only old runs that have ended or never started are deleted."""
        rows = [begin_run(store, run, f"r{number}") for number in range(3)]
        run(store.cancel(rows[0].id, EVENT))
        run(store.create(build_run("pending"), 10))
        later = get_timestamp_ms() + 1000

        def purge(finished_before: int, pending_before: int) -> Any:
            return run(
                store.purge(
                    finished_before=finished_before, pending_before=pending_before, limit=10
                )
            )

        assert purge(0, 0) == 0
        assert purge(later, 0) == 1
        assert run(store.read(rows[0].id)) is None
        assert purge(later, later) == 1
        run(store.delete(rows[1].id))
        assert [row.run_id for row, _ in run(store.list("w", RunQuery()))] == ["r2"]
