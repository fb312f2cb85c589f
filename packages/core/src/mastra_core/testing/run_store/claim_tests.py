"""Claim and release runs."""
# ruff: noqa: PLR2004, S101  # tests assert

from __future__ import annotations

import time

import msgspec

from mastra_core.testing.run_store.run_store_fixtures import (
    EVENT,
    Run,
    RunStoreFixtures,
    begin_run,
    build_member,
    build_run,
)
from mastra_core.workflows.durable import Batch, RunStore

__all__ = ("ClaimTests",)


class ClaimTests(RunStoreFixtures):
    """Test that processes claim due runs, and the runs of dead processes."""

    def test_due_runs_are_claimed_once(self, store: RunStore, run: Run) -> None:
        """A process claims a due run only if it knows the fingerprint of the run."""
        row, member = begin_run(store, run), build_member("two")
        run(store.commit(row.id, "one", 1, 0, Batch(releases=True, due_in=3_600_000)))
        assert run(store.claim(member, {"f1": "w"}, 10, orphans=False)) == []
        other = begin_run(store, run, "r2")
        run(store.release("one"))
        assert run(store.claim(member, {"f2": "w"}, 10, orphans=False)) == []
        assert run(store.has_claimable(member, {"f1": "w"}, orphans=False))
        assert not run(store.has_claimable(member, {"f2": "w"}, orphans=False))
        for maximum in (0, 1):
            limits = {"w": maximum}
            found = run(store.has_claimable(member, {"f1": "w"}, orphans=False, concurrency=limits))
            assert found == bool(maximum), "no run of a full queue"
        (claimed,) = run(store.claim(member, {"f1": "w", "f2": "w"}, 10, orphans=False))
        assert (claimed.id, claimed.holder, claimed.attempt) == (other.id, "two", 2)
        assert not run(store.has_claimable(member, {"f1": "w"}, orphans=False))
        assert run(store.claim(member, {"f1": "w"}, 10, orphans=False)) == []

    def test_waiting_runs_are_claimed_in_order(self, store: RunStore, run: Run) -> None:
        """A greater priority counts like a longer wait; otherwise runs are claimed in order."""
        for number, priority in enumerate((0, 0, 2, None)):
            created = run(store.create(build_run(f"r{number}"), 10))
            run(store.begin(created, "", EVENT, "{}", priority=priority, fingerprint="f1"))
            time.sleep(0.002)  # the next millisecond
        member = build_member("two")
        claimed = [run(store.claim(member, {"f1": "w"}, 1, orphans=False))[0] for _ in range(4)]
        assert [row.run_id for row in claimed] == ["r2", "r0", "r1", "r3"]
        assert claimed[0].priority == 2

    def test_number_of_held_runs_is_limited(self, store: RunStore, run: Run) -> None:
        """Living and dead processes together hold at most ``concurrency`` runs of a workflow."""
        for number in range(4):
            begun = run(store.create(build_run(f"r{number}"), 10))
            run(store.begin(begun, "", EVENT, "{}", fingerprint=f"f{number % 2}"))
            time.sleep(0.002)  # the next millisecond
        free = run(store.create(msgspec.structs.replace(build_run("f1"), workflow="free"), 10))
        run(store.begin(free, "", EVENT, "{}", fingerprint="f3"))

        def claim(name: str, limit: int = 10, maximum: int = 2) -> list[str]:
            rows = run(
                store.claim(
                    build_member(name),
                    {"f0": "w", "f1": "w", "f3": "free"},
                    limit,
                    orphans=False,
                    concurrency={"w": maximum, "unknown": 1},
                )
            )
            return sorted(row.run_id for row in rows)

        assert claim("one", 1) == ["r0"], "the run that waits longest"
        assert claim("two") == ["f1", "r1"]
        assert claim("two") == claim("one") == []
        row = run(store.find("w", "r0", None))
        run(store.commit(row.id, "one", row.attempt, 0, Batch(releases=True, status="suspended")))
        assert claim("two") == ["r2"]
        run(store.release("two"))
        assert claim("three") == ["f1", "r1", "r2"], "a run that is handed back keeps its place"
        assert claim("four", maximum=1) == [], "a lower maximum claims no run while two are held"

    def test_one_run_is_released(self, store: RunStore, run: Run) -> None:
        """A process can release a run only with the number of the attempt that it holds."""
        row, other = begin_run(store, run), begin_run(store, run, "r2")
        assert run(store.list_held("one")) == {row.id: 1, other.id: 1}
        for member, attempt in (("one", 2), ("two", 1), ("one", 1)):
            run(store.release_run(row.id, member, attempt))
        assert run(store.list_held("one")) == {other.id: 1}
        (claimed,) = run(store.claim(build_member("two"), {"f1": "w"}, 10, orphans=False))
        assert (claimed.id, claimed.attempt) == (row.id, 2)

    def test_runs_of_dead_processes_are_claimed(self, store: RunStore, run: Run) -> None:
        """A process takes over the runs of another process whose lease has ended."""
        row, member = begin_run(store, run), build_member("one")
        run(store.beat(member, 60))
        survivor = build_member("two")
        assert run(store.list_members()) == [member]
        assert run(store.claim(survivor, {"f1": "w"}, 10, orphans=True)) == []
        run(store.beat(member, -1))
        (claimed,) = run(store.claim(survivor, {"f1": "w"}, 10, orphans=True))
        assert (claimed.id, claimed.holder, claimed.takeovers) == (row.id, "two", 1)
        run(store.beat(survivor, 60))
        assert run(store.list_members(living=True)) == [survivor]
        assert run(store.claim(member, {"f1": "w"}, 10, orphans=True)) == []
        run(store.remove_members(["two"]))
        assert len(run(store.claim(member, {"f1": "w"}, 10, orphans=True))) == 1

    def test_stop_may_count_as_takeover(self, store: RunStore, run: Run) -> None:
        """If a run makes one process after another stop, its number of takeovers grows."""
        begin_run(store, run)
        member = build_member("two")
        for counts, expected in ((True, 1), (False, 1), (True, 2)):
            run(store.release("two" if expected == 2 or not counts else "one", counts=counts))
            (row,) = run(store.claim(member, {"f1": "w"}, 10, orphans=False))
            assert row.takeovers == expected
