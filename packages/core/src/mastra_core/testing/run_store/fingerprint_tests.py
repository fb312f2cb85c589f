"""Park and move runs whose workflow no process knows."""
# ruff: noqa: PLR2004, S101  # tests assert

from __future__ import annotations

import msgspec

from mastra_core.testing.run_store.run_store_fixtures import (
    EVENT,
    Run,
    RunStoreFixtures,
    begin_run,
    build_member,
)
from mastra_core.workflows.durable import Backlog, Batch, KnownWorkflow, RunStore
from mastra_core.workflows.engine.run_events import get_timestamp_ms

__all__ = ("FingerprintTests",)


class FingerprintTests(RunStoreFixtures):
    """Test the stored descriptions of workflows, and runs whose workflow no process knows."""

    def test_descriptions_are_stored_once(self, store: RunStore, run: Run) -> None:
        """A stored description is not replaced; descriptions are listed from newest to oldest."""
        known = [
            KnownWorkflow(fingerprint=f"f{each}", workflow="w", description="{}", created_at=each)
            for each in range(2)
        ]
        run(store.store_workflows(known))
        run(store.store_workflows([msgspec.structs.replace(known[0], created_at=9)]))
        assert [*run(store.list_workflows("w"))] == known[::-1]
        assert not run(store.list_workflows("other"))

    def test_runs_without_a_process_are_parked(self, store: RunStore, run: Run) -> None:
        """A run waits for a process that knows its fingerprint, even if its own process died."""
        member, other = build_member("one", "f1"), build_member("two", "f2")
        rows = [begin_run(store, run, f"r{number}") for number in range(3)]
        run(store.beat(member, 60))
        run(store.release_run(rows[0].id, "one", 1))
        assert not run(store.park(10)), "a process can execute it"
        run(store.beat(member, -1))
        run(store.beat(other, 60))
        (parked,) = run(store.park(2))
        assert (parked.workflow, parked.fingerprint, parked.count) == ("w", "f1", 2)
        assert [each.count for each in run(store.park(10))] == [1]
        assert not run(store.park(10))
        assert run(store.claim(other, {"f1": "w"}, 10, orphans=True)) == []
        assert run(store.claim(other, {"f1": "w"}, 10, orphans=False)) == []
        backlog: Backlog = run(store.measure_backlog())
        assert (backlog.due, backlog.oldest, backlog.parked[0].count) == (0, None, 3)
        assert run(store.unpark(["f2"], 10)) == 0
        assert [run(store.unpark(["f1"], 2)), run(store.unpark(["f1"], 2))] == [2, 1]
        backlog = run(store.measure_backlog())
        assert (backlog.due, backlog.parked) == (3, ())
        assert 1000 <= (backlog.oldest or 0) <= get_timestamp_ms()
        claimed = run(store.claim(other, {"f1": "w"}, 10, orphans=False))
        assert sorted(row.takeovers for row in claimed) == [0, 1, 1]

    def test_run_is_moved(self, store: RunStore, run: Run) -> None:
        """A run that no process executes can continue with another fingerprint."""
        row, other = begin_run(store, run), build_member("two", "f2")
        assert not run(store.move(row, "f2")), "it is executed"
        run(store.release("one"))
        run(store.beat(other, 60))
        run(store.park(10))
        assert run(store.move(row, "f2"))
        assert not run(store.move(row, "f3")), "it has changed"
        (claimed,) = run(store.claim(other, {"f2": "w"}, 10, orphans=False))
        assert (claimed.fingerprint, claimed.attempt) == ("f2", 3)
        resting = Batch(releases=True, status="suspended", outcomes=[("a#1", "1")])
        run(store.commit(row.id, "two", 3, 0, resting))
        (rested,) = run(store.list_unfinished("f2", 0, 10))
        assert run(store.count_unfinished("w")) == {"f2": 1}
        assert not run(store.count_unfinished("other"))
        assert not run(store.list_unfinished("f2", rested.id, 10))
        assert run(store.move(rested, "f3"))
        assert run(store.claim(other, {"f3": "w"}, 10, orphans=False)) == [], "it is not due"
        answered, _ = run(store.answer(row.id, "", [("a!1", EVENT)], "1"))
        assert answered.fingerprint == "f3"
