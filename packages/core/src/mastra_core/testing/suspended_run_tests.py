"""Tests of suspended runs of agents."""
# ruff: noqa: PLR2004, S101  # tests assert

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from mastra_core.agents import SuspendedRunPage, SuspendedRunQuery
from mastra_core.errors import Conflict, InvalidInput, NotFound, TooManyRuns
from mastra_core.storage import Storage
from mastra_core.testing.storage_fixtures import Run, StorageFixtures, build_suspended_run

__all__ = ("SuspendedRunTests",)


class SuspendedRunTests(StorageFixtures):
    """Test that only the owner of a suspended run can take the run, and only once."""

    def test_suspended_runs(self, storage: Storage, run: Run) -> None:
        """A run is stored, read, and taken once."""
        runs, moment = storage.suspended_runs, int(time.time() * 1000)
        one, two = build_suspended_run("r1", at=moment), build_suspended_run("r2", at=moment + 1)
        for each in (one, two, build_suspended_run("r3", "b")):
            run(runs.put(each))
        assert run(runs.get("a", "r1")) == one
        assert _list_runs(storage, run).items == (two, one)
        assert run(runs.take("a", "r1")) == one
        for ask in (runs.get, runs.take):
            for agent, run_id in (("a", "r1"), ("a", "r3")):
                with pytest.raises(NotFound):
                    run(ask(agent, run_id))

        async def race() -> tuple[Any, Any]:
            return await asyncio.gather(
                runs.take("a", "r2"), runs.take("a", "r2"), return_exceptions=True
            )

        assert sorted(type(got).__name__ for got in run(race())) == ["NotFound", "SuspendedRun"]

    def test_suspended_runs_of_two_resources_with_one_id(self, storage: Storage, run: Run) -> None:
        """Two resources may use the same run id."""
        runs = storage.suspended_runs
        anns, bobs = (build_suspended_run(resource=name) for name in ("ann", "bob"))
        run(runs.put(anns))
        run(runs.put(bobs))
        assert run(runs.get("a", "r1", "ann")) == anns
        with pytest.raises(Conflict):
            run(runs.take("a", "r1"))
        with pytest.raises(NotFound):
            run(runs.take("a", "r1", "carl"))
        assert run(runs.take("a", "r1", "bob")) == bobs
        assert run(runs.take("a", "r1")) == anns

    def test_run_of_another_thread_is_not_replaced(self, storage: Storage, run: Run) -> None:
        """A new run replaces a stored run of its own thread only, and a resumed run any."""
        runs = storage.suspended_runs
        first = build_suspended_run(thread="t1")
        run(runs.put(first))
        for thread in ("t2", ""):
            with pytest.raises(Conflict):
                run(runs.put(build_suspended_run(thread=thread)))
        assert run(runs.get("a", "r1")) == first
        for again in (
            build_suspended_run(thread="t1", call="c2"),
            build_suspended_run(thread="t2", is_resumed=True),
        ):
            run(runs.put(again))
            assert run(runs.get("a", "r1")) == again

    def test_query_of_suspended_runs(self, storage: Storage, run: Run) -> None:
        """Runs are filtered, and the newest is first."""
        moment = int(time.time() * 1000)
        for number in range(6):
            resource, thread = f"r{number % 2}", f"t{number % 3}"
            at, call = moment + number, f'c"{number}'
            each = build_suspended_run(f"id{number}", "a", at, resource, thread, call)
            run(storage.suspended_runs.put(each))
        run(storage.suspended_runs.put(build_suspended_run("id9", "b", moment, "r0", "t0", 'c"0')))

        def find(**query: Any) -> tuple[list[int], int]:
            page = _list_runs(storage, run, **query)
            return [int(each.run_id[2:]) for each in page.items], page.total

        assert find() == ([5, 4, 3, 2, 1, 0], 6)
        assert find(per_page=2, page=1) == ([3, 2], 6)
        assert find(resource="r0") == ([4, 2, 0], 3)
        assert find(resource="") == ([], 0)
        assert find(thread="t1") == ([4, 1], 2)
        assert find(resource="r1", call='c"3') == ([3], 1)
        assert find(since=moment + 1, until=moment + 2) == ([2, 1], 2)

    def test_old_suspended_run_is_removed(self, storage: Storage, run: Run) -> None:
        """A run that was suspended for longer than the maximum age is removed."""
        run(storage.suspended_runs.put(build_suspended_run(at=1)))
        assert _list_runs(storage, run).items == ()
        with pytest.raises(NotFound):
            run(storage.suspended_runs.take("a", "r1"))

    def test_suspended_runs_of_one_caller_leave_room_for_others(
        self, bounded_storage: Storage, run: Run
    ) -> None:
        """Many suspended runs of one caller do not remove the suspended runs of other callers."""
        runs = bounded_storage.suspended_runs
        run(runs.put(build_suspended_run("waits", caller="bob")))
        for number in range(4):
            run(runs.put(build_suspended_run(f"ann{number}", caller="ann")))
        with pytest.raises(TooManyRuns):
            run(runs.put(build_suspended_run("ann4", caller="ann")))
        run(runs.put(build_suspended_run("carl", caller="carl")))
        assert run(runs.get("a", "waits")).caller == "bob"
        assert run(runs.list(SuspendedRunQuery(agent="a"))).total == 6

    def test_resumed_run_is_stored_again_in_a_full_store(
        self, bounded_storage: Storage, run: Run
    ) -> None:
        """A resumed run is stored even if its caller has too many suspended runs."""
        runs = bounded_storage.suspended_runs
        for number in range(5):
            run(runs.put(build_suspended_run(f"ann{number}", caller="ann")))
        taken = run(runs.take("a", "ann0"))
        run(runs.put(build_suspended_run("newer", caller="ann")))
        run(runs.put(build_suspended_run(taken.run_id, caller="ann", is_resumed=True)))
        assert run(runs.list(SuspendedRunQuery(agent="a"))).total == 6

    def test_page_of_suspended_runs_is_bounded_by_bytes(self, storage: Storage, run: Run) -> None:
        """A page of runs that is too large is refused."""
        for number in range(4):
            run(storage.suspended_runs.put(build_suspended_run(f"r{number}")))
        assert len(_list_runs(storage, run, per_page=1, max_bytes=15_000).items) == 1
        with pytest.raises(InvalidInput, match="perPage"):
            _list_runs(storage, run, max_bytes=15_000)


def _list_runs(storage: Storage, run: Run, **query: Any) -> SuspendedRunPage:
    page: SuspendedRunPage = run(storage.suspended_runs.list(SuspendedRunQuery(agent="a", **query)))
    return page
