"""The suite that every store of durable runs must pass."""
# ruff: noqa: PLR2004, S101  # tests assert

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import msgspec
import pytest

from mastra_core.workflows.durable import (
    Backlog,
    Batch,
    JournalData,
    KnownWorkflow,
    Member,
    NewRun,
    RunRow,
    RunStore,
    ScheduleRow,
)
from mastra_core.workflows.engine.run_events import get_timestamp_ms
from mastra_core.workflows.engine.run_query import RunCursor, RunQuery
from mastra_core.workflows.engine.run_record import Status

__all__ = ("RunStoreSuite",)

_Await = Callable[[Coroutine[Any, Any, Any]], Any]
_END = '{"type":"run-finished","status":"success"}'
_EVENT = '{"type":"step-started","step":"a"}'


class RunStoreSuite:
    """The base class for tests of a store for durable runs; it needs one fixture.

    class TestAcmeRunStore(RunStoreSuite):
        @pytest.fixture
        def store(self, tmp_path):
            return AcmeRunStore(tmp_path / "acme")
    """

    @pytest.fixture
    def run(self, store: RunStore) -> Iterator[_Await]:
        """Await coroutines in one event loop, and close the store at the end.

        :param store: the store.
        """
        with asyncio.Runner() as runner:
            runner.run(store.open())
            yield runner.run
            runner.run(store.close())

    def test_run_is_created_once(self, store: RunStore, run: _Await) -> None:
        """The id of a run is unique for its creator."""
        first = run(store.create(_build_run(), 10))
        assert run(store.create(_build_run(), 10)) == first
        assert run(store.find("w", "r1", None)) == first
        assert run(store.find("w", "r1", "ann")) is None
        other = run(store.create(_build_run(scope="ann", resource_id="ann"), 10))
        assert other.id != first.id
        assert run(store.find("w", "r1", "ann")) == other
        assert run(store.find("other", "r1", None)) is None

    def test_caller_has_a_limited_number_of_runs(self, store: RunStore, run: _Await) -> None:
        """Finished runs and runs of the application itself do not count toward a caller's limit."""
        new = [msgspec.structs.replace(_build_run(f"r{each}"), caller="ann") for each in range(4)]
        rows = [run(store.create(each, 2)) for each in new[:2]]
        assert run(store.create(new[2], 2)) is None
        assert run(store.create(new[1], 2)) == rows[1]
        assert run(store.create(_build_run("other"), 2)) is not None
        run(store.cancel(rows[0].id, _EVENT))
        assert run(store.create(new[3], 2)) is not None

    def test_run_is_begun_once(self, store: RunStore, run: _Await) -> None:
        """If two callers begin an execution of one run, only one of them succeeds."""
        created = run(store.create(_build_run(), 10))
        row = run(store.begin(created, "one", _EVENT, "{}", '{"user":"ann"}'))
        assert (row.holder, row.attempt, row.sequence, row.status) == ("one", 1, 1, "running")
        assert row.context == '{"user":"ann"}'
        assert run(store.begin(created, "two", _EVENT, "{}")) is None

    def test_commit_stores_everything(self, store: RunStore, run: _Await) -> None:
        """Outcomes, events and ends of sleeps are read as they were stored."""
        row = _begin(store, run)
        batch = Batch(
            outcomes=[("b#1", '"ü\\u0000"'), ("a#1", "2")],
            events=[("a:started", _EVENT), ("", _EVENT)],
            wakes=[("a~", 12.5)],
            status="waiting",
        )
        result = run(store.commit(row.id, "one", row.attempt, 0, batch))
        assert (result.kind, result.sequence) == ("stored", 3)
        journal: JournalData = run(store.read_journal(row.id))
        assert [*journal.outcomes.items()] == batch.outcomes
        assert (journal.emitted, journal.wakes) == ({"a:started"}, {"a~": 12.5})
        read, events = run(store.read(row.id, 1))
        assert (read.status, read.sequence, events) == ("waiting", 3, [_EVENT, _EVENT])

    def test_fence_refuses_earlier_holders(self, store: RunStore, run: _Await) -> None:
        """A process that no longer holds a run cannot change the run."""
        row = _begin(store, run)
        batch = Batch(outcomes=[("a#1", "1")], events=[("", _EVENT)])
        run(store.begin(row, "two", _EVENT, "{}"))
        for holder, attempt in (("one", row.attempt), ("one", row.attempt + 1), ("two", 1)):
            assert run(store.commit(row.id, holder, attempt, 0, batch)).kind == "refused"
        assert run(store.commit(row.id, "two", row.attempt + 1, 0, batch)).kind == "stored"
        assert run(store.read_states([row.id]))[row.id].sequence == 3

    def test_repeated_commit_is_stored_once(self, store: RunStore, run: _Await) -> None:
        """A commit may be repeated if the database's response was lost."""
        row = _begin(store, run)
        batch = Batch(outcomes=[("a#1", "1")], events=[("", _EVENT)])
        for _ in range(2):
            result = run(store.commit(row.id, "one", row.attempt, 0, batch))
            assert (result.kind, result.sequence) == ("stored", 2)
        assert run(store.commit(row.id, "one", row.attempt, 1, Batch())).kind == "stored"

    def test_wait_is_answered_once(self, store: RunStore, run: _Await) -> None:
        """If a wait gets two answers, the store keeps the first answer."""
        row = _begin(store, run)
        answers = [("a!1", _EVENT), ("b!1", _EVENT)]
        waits = Batch(outcomes=[(f"{name}#1", "1") for name in "abc"])
        run(store.commit(row.id, "one", 1, 0, waits))
        answered, count = run(store.answer(row.id, "two", answers, "1"))
        assert (answered.holder, answered.attempt, answered.answers, count) == ("one", 1, 2, 2)
        assert run(store.answer(row.id, "two", answers, "2")) == (None, 0)
        _, count = run(store.answer(row.id, "two", [*answers, ("c!1", _EVENT)], "3"))
        assert count == 1
        assert run(store.read_journal(row.id)).answers == {"a!1": "1", "b!1": "1", "c!1": "3"}
        assert run(store.answer(row.id, "two", [("d!1", _EVENT)], "4")) == (None, 0), "no wait"

    def test_run_rests_only_without_new_answers(self, store: RunStore, run: _Await) -> None:
        """A process can release a run only after it has read all answers of the run."""
        row = _begin(store, run)
        run(store.commit(row.id, "one", 1, 0, Batch(outcomes=[("a#1", "1"), ("b#1", "1")])))
        rest = Batch(releases=True, status="suspended", answers=0)
        run(store.answer(row.id, "", [("a!1", _EVENT)], "1"))
        assert run(store.commit(row.id, "one", 1, 1, rest)).kind == "answered"
        rest.answers = 1
        assert run(store.commit(row.id, "one", 1, 1, rest)).kind == "stored"
        answered, _ = run(store.answer(row.id, "two", [("b!1", _EVENT)], "1"))
        assert (answered.holder, answered.attempt) == ("two", 2)

    def test_canceled_run_ends_everywhere(self, store: RunStore, run: _Await) -> None:
        """A run is canceled once, and the process that holds the run can no longer change it."""
        row = _begin(store, run)
        assert run(store.cancel(row.id, _EVENT))
        assert not run(store.cancel(row.id, _EVENT))
        assert run(store.commit(row.id, "one", 1, 0, Batch())).kind == "refused"
        assert run(store.answer(row.id, "two", [("a!1", _EVENT)], "1")) == (None, 0)
        assert run(store.read(row.id))[0].status == "canceled"

    def test_due_runs_are_claimed_once(self, store: RunStore, run: _Await) -> None:
        """A process gets the runs that are due and that have one of its fingerprints."""
        row, member = _begin(store, run), _build_member("two")
        run(store.commit(row.id, "one", 1, 0, Batch(releases=True, due_in=3_600_000)))
        assert run(store.claim(member, {"f1": "w"}, 10, orphans=False)) == []
        other = _begin(store, run, "r2")
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

    def test_waiting_runs_are_claimed_in_order(self, store: RunStore, run: _Await) -> None:
        """Priority counts as minutes of waiting; runs of equal priority are claimed in order."""
        for number, priority in enumerate((0, 0, 2, None)):
            created = run(store.create(_build_run(f"r{number}"), 10))
            run(store.begin(created, "", _EVENT, "{}", priority=priority, fingerprint="f1"))
            time.sleep(0.002)  # the next millisecond
        member = _build_member("two")
        claimed = [run(store.claim(member, {"f1": "w"}, 1, orphans=False))[0] for _ in range(4)]
        assert [row.run_id for row in claimed] == ["r2", "r0", "r1", "r3"]
        assert claimed[0].priority == 2

    def test_number_of_held_runs_is_limited(self, store: RunStore, run: _Await) -> None:
        """Living and dead processes together hold at most ``concurrency`` runs of a workflow."""
        for number in range(4):
            begun = run(store.create(_build_run(f"r{number}"), 10))
            run(store.begin(begun, "", _EVENT, "{}", fingerprint=f"f{number % 2}"))
            time.sleep(0.002)  # the next millisecond
        free = run(store.create(msgspec.structs.replace(_build_run("f1"), workflow="free"), 10))
        run(store.begin(free, "", _EVENT, "{}", fingerprint="f3"))

        def claim(name: str, limit: int = 10) -> list[str]:
            rows = run(
                store.claim(
                    _build_member(name),
                    {"f0": "w", "f1": "w", "f3": "free"},
                    limit,
                    orphans=False,
                    concurrency={"w": 2, "unknown": 1},
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

    def test_one_run_is_released(self, store: RunStore, run: _Await) -> None:
        """A process gives up only the attempt that it holds."""
        row, other = _begin(store, run), _begin(store, run, "r2")
        assert run(store.list_held("one")) == {row.id: 1, other.id: 1}
        for member, attempt in (("one", 2), ("two", 1), ("one", 1)):
            run(store.release_run(row.id, member, attempt))
        assert run(store.list_held("one")) == {other.id: 1}
        (claimed,) = run(store.claim(_build_member("two"), {"f1": "w"}, 10, orphans=False))
        assert (claimed.id, claimed.attempt) == (row.id, 2)

    def test_runs_of_dead_processes_are_claimed(self, store: RunStore, run: _Await) -> None:
        """The lease of a process decides whether another process takes its runs over."""
        row, member = _begin(store, run), _build_member("one")
        run(store.beat(member, 60))
        survivor = _build_member("two")
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

    def test_descriptions_are_stored_once(self, store: RunStore, run: _Await) -> None:
        """A stored description is not replaced; descriptions are listed from newest to oldest."""
        known = [
            KnownWorkflow(fingerprint=f"f{each}", workflow="w", description="{}", created_at=each)
            for each in range(2)
        ]
        run(store.store_workflows(known))
        run(store.store_workflows([msgspec.structs.replace(known[0], created_at=9)]))
        assert [*run(store.list_workflows("w"))] == known[::-1]
        assert not run(store.list_workflows("other"))

    def test_runs_without_a_process_are_parked(self, store: RunStore, run: _Await) -> None:
        """A run waits for a process with its fingerprint, even if its own process has died."""
        member, other = _build_member("one", "f1"), _build_member("two", "f2")
        rows = [_begin(store, run, f"r{number}") for number in range(3)]
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

    def test_stop_may_count_as_takeover(self, store: RunStore, run: _Await) -> None:
        """A run that makes process after process stop is recognised by its number of takeovers."""
        _begin(store, run)
        member = _build_member("two")
        for counts, expected in ((True, 1), (False, 1), (True, 2)):
            run(store.release("two" if expected == 2 or not counts else "one", counts=counts))
            (row,) = run(store.claim(member, {"f1": "w"}, 10, orphans=False))
            assert row.takeovers == expected

    def test_run_is_moved(self, store: RunStore, run: _Await) -> None:
        """A run that no process executes can continue with another fingerprint."""
        row, other = _begin(store, run), _build_member("two", "f2")
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
        assert not run(store.list_unfinished("f2", rested.id, 10))
        assert run(store.move(rested, "f3"))
        assert run(store.claim(other, {"f3": "w"}, 10, orphans=False)) == [], "it is not due"
        answered, _ = run(store.answer(row.id, "", [("a!1", _EVENT)], "1"))
        assert answered.fingerprint == "f3"

    def test_rewound_run_forgets_outcomes(self, store: RunStore, run: _Await) -> None:
        """A second execution keeps outcomes in ``keep``, and may repeat the events in ``drop``."""
        row = _begin(store, run)
        batch = Batch(
            outcomes=[("a#1", "1"), ("b#1", "2")], events=[("a:ended", _EVENT), ("b:ended", _EVENT)]
        )
        run(store.commit(row.id, "one", 1, 0, batch))
        row = run(store.read(row.id))[0]
        again = run(store.begin(row, "two", _EVENT, "{}", keep=["a#1"], drop=["b:ended"]))
        journal = run(store.read_journal(row.id))
        assert (journal.outcomes, journal.emitted) == ({"a#1": "1"}, {"a:ended"})
        assert (again.attempt, again.sequence) == (2, 4)

    def test_run_forgets_its_whole_journal(self, store: RunStore, run: _Await) -> None:
        """The run also forgets an answer that has arrived after the caller read the run."""
        row = _begin(store, run)
        events = [("a:started", _EVENT)]
        batch = Batch(outcomes=[("a#1", "1")], events=events, wakes=[("b~", 2.5)])
        run(store.commit(row.id, "one", row.attempt, 0, batch))
        answered, _ = run(store.answer(row.id, "", [("a!1", _EVENT)], "1"))
        run(store.begin(answered, "two", _EVENT, "{}", keep=None))
        assert run(store.read_journal(row.id)) == JournalData(answer_count=1)
        assert len(run(store.read(row.id))[1]) == 4, "readers still get the events"

    def test_only_a_pending_run_is_discarded(self, store: RunStore, run: _Await) -> None:
        """A caller whose input is invalid does not delete a run that others have started."""
        row, created = _begin(store, run), run(store.create(_build_run("r2"), 10))
        for each in (row, created):
            run(store.delete(each.id, only_pending=True))
        assert run(store.find("w", "r1", None)) == row
        assert run(store.find("w", "r2", None)) is None
        run(store.delete(row.id))
        assert run(store.find("w", "r1", None)) is None

    def test_runs_are_selected(self, store: RunStore, run: _Await) -> None:
        """Lists and counts have the same selection, and lists have pages."""
        for number in range(4):
            owner = "ann" if number % 2 else "bob"
            new = _build_run(f"r{number}", resource_id=owner)
            created = run(store.create(msgspec.structs.replace(new, created_at=number), 10))
            if number:
                run(store.begin(created, "one", _EVENT, "{}"))

        def select(**fields: Any) -> list[str]:
            found = run(store.list("w", RunQuery(**fields)))
            return [row.run_id for row, _ in found]

        assert select() == ["r3", "r2", "r1", "r0"]
        assert select(resource_id="ann") == ["r3", "r1"]
        assert select(status="running", offset=1, limit=1) == ["r2"]
        assert select(since=1, until=2) == ["r2", "r1"]
        assert run(store.count("w", RunQuery(limit=1))) == {"pending": 1, "running": 3}
        assert run(store.count("w", RunQuery(resource_id="bob", since=1))) == {"running": 1}
        assert run(store.list("w", RunQuery(limit=1)))[0][1] == [_EVENT]

    def test_text_that_no_database_stores_selects_no_run(
        self, store: RunStore, run: _Await
    ) -> None:
        """A request with a text that no database can store finds nothing, and raises no error."""
        run(store.create(_build_run(), 10))
        for text in ("r\0", "r\ud800"):
            assert run(store.find("w", text, None)) is None
            assert run(store.find("w", "r1", text)) is None
            assert run(store.list("w", RunQuery(status=text))) == []
            assert run(store.count("w", RunQuery(run_id=text))) == {}
            assert run(store.list_workflows(text)) == run(store.list_unfinished(text, 0, 10)) == []

    def test_lists_continue_after_a_run(self, store: RunStore, run: _Await) -> None:
        """No run is missed or repeated if other runs leave the list between two pages."""
        rows = {}
        for number in range(7):
            new = msgspec.structs.replace(_build_run(f"r{number}"), created_at=number // 3)
            rows[new.run_id] = run(store.create(new, 10))

        def read(order: Any, after: RunCursor | None) -> list[RunRow]:
            query = RunQuery(status="pending", order=order, after=after, limit=2)
            return [row for row, _ in run(store.list("w", query))]

        first = read("created", None)
        assert [row.run_id for row in first] == ["r6", "r5"]
        for row in first:
            run(store.cancel(row.id, _END))
        second = read("created", RunCursor(first[-1].created_at, first[-1].id))
        assert [row.run_id for row in second] == ["r4", "r3"]
        second = read("updated", RunCursor(rows["r5"].updated_at, rows["r5"].id))
        assert [row.run_id for row in second] == ["r4", "r3"]
        run(store.cancel(second[0].id, _END))
        last = read("updated", RunCursor(second[-1].updated_at, second[-1].id))
        assert [row.run_id for row in last] == ["r2", "r1"]
        query = RunQuery(after=RunCursor(0, last[-1].id), limit=1)
        assert run(store.count("w", query)) == {"pending": 4, "canceled": 3}, "of all pages"

    def test_lists_read_the_ends_of_runs(self, store: RunStore, run: _Await) -> None:
        """A list can read only the first and last events, and sort runs by their last change."""
        for number in range(3):
            new = _build_run(f"r{number}")
            new = msgspec.structs.replace(new, thread=f"t{number % 2}", created_at=number)
            row = run(store.create(new, 10))
            row = run(store.begin(row, "one", f'"first {number}"', "{}"))
            events = [("", f'"{number} {each}"') for each in range(4 * (number < 2))]
            if events:
                run(store.commit(row.id, "one", row.attempt, 0, Batch(events=events)))

        def read(**fields: Any) -> list[list[str]]:
            return [events for _, events in run(store.list("w", RunQuery(**fields)))]

        assert read(last_events=2) == [
            ['"first 2"'],
            ['"first 1"', '"1 2"', '"1 3"'],
            ['"first 0"', '"0 2"', '"0 3"'],
        ]
        assert read(last_events=2, thread="t1") == [['"first 1"', '"1 2"', '"1 3"']]
        assert run(store.count("w", RunQuery(thread="t0"))) == {"running": 2}
        changes = [event[0] for event in read(order="updated", last_events=0)]
        assert sorted(changes) == ['"first 0"', '"first 1"', '"first 2"']
        assert read(updated_since=2**52) == []

    def test_lists_read_the_outer_steps_of_finished_runs(
        self, store: RunStore, run: _Await
    ) -> None:
        """A list may leave out inner steps, items or all steps of finished runs, never writes."""
        outer = [("each:started", '"outer start"'), ("each:ended", '"outer end"')]
        inner = [("each[0]:started", '"item"'), ("each#1.s:started", '"inner"')]
        write = [("each:wrote1.1", '{"type":"step-wrote","step":"each","chunk":1}')]
        for number, is_finished in enumerate((False, True)):
            new = msgspec.structs.replace(_build_run(f"r{number}"), created_at=number)
            row = run(store.begin(run(store.create(new, 10)), "one", '"first"', "{}"))
            events = [outer[0], *inner, *write, outer[1], ("", '"last"')]
            status: Status = "success" if is_finished else "running"
            batch = Batch(events=events, status=status, releases=is_finished)
            run(store.commit(row.id, "one", row.attempt, 0, batch))

        def read(**fields: Any) -> list[list[str]]:
            return [events for _, events in run(store.list("w", RunQuery(**fields)))]

        every = ["first", "outer start", "item", "inner", "outer end", "last"]
        found = {
            "all": every,
            "outer": ["first", "outer start", "outer end", "last"],
            "none": ["first", "last"],
        }
        for steps, expected in found.items():
            finished, running = read(finished_steps=steps)
            assert [msgspec.json.decode(each) for each in finished] == expected
            assert [msgspec.json.decode(each) for each in running] == every

    def test_schedule_starts_each_run_once(self, store: RunStore, run: _Await) -> None:
        """If two processes start the run of the same scheduled time, only one succeeds."""
        run(store.register_schedule(_build_schedule()))
        now, (schedule,) = run(store.read_schedules())
        assert schedule == _build_schedule()
        assert abs(now - get_timestamp_ms()) < 60_000

        def fire(row: ScheduleRow) -> Any:
            new = _build_run(f"sched_{row.next_at}")
            return run(store.fire_schedule(row, row.next_at + 1000, new, _EVENT, "{}", '{"a":1}'))

        assert fire(schedule)
        assert not fire(schedule)
        ((row, events),) = run(store.list("w", RunQuery(run_id_prefix="sched_")))
        assert (row.run_id, row.status, row.context, events) == (
            "sched_5000",
            "running",
            '{"a":1}',
            [_EVENT],
        )
        assert len(run(store.claim(_build_member("one"), {"f1": "w"}, 10, orphans=False))) == 1
        _, (changed,) = run(store.read_schedules())
        assert (changed.next_at, changed.last_at, changed.last_run) == (6000, 5000, "sched_5000")

    def test_schedule_is_changed(self, store: RunStore, run: _Await) -> None:
        """Registering a paused schedule keeps the pause; a new expression sets the next start."""
        row = _build_schedule()
        run(store.register_schedule(row))
        run(store.set_schedule_status("wf_w", "paused", 5000))
        run(store.register_schedule(msgspec.structs.replace(row, next_at=9000)))
        _, (paused,) = run(store.read_schedules())
        assert (paused.status, paused.next_at) == ("paused", 5000)
        assert not run(store.fire_schedule(paused, 6000, _build_run(), _EVENT, "{}"))
        run(store.register_schedule(msgspec.structs.replace(row, cron="@daily", next_at=9000)))
        _, (changed,) = run(store.read_schedules())
        assert (changed.status, changed.cron, changed.next_at) == ("paused", "@daily", 9000)
        daily = msgspec.structs.replace(row, cron="@daily", next_at=9500, member="one")
        run(store.register_schedule(daily))
        assert run(store.read_schedules())[1][0].member == "", "the process is dead"
        run(store.beat(_build_member("one"), 60))
        _, (adopted,) = run(store.read_schedules())
        assert (adopted.member, adopted.next_at) == ("one", 9000)
        run(store.set_schedule_status("wf_w", "active", 7000))
        assert run(store.read_schedules())[1][0].next_at == 7000
        assert not run(store.fire_schedule(row, 8000, _build_run(), _EVENT, "{}")), "another cron"

    def test_child_is_started_once(self, store: RunStore, run: _Await) -> None:
        """A child is started once, and only by the process that holds the parent."""
        parent = _begin(store, run)

        def start(run_id: str, row: RunRow = parent, key: str = "c!1") -> Any:
            return run(store.start_child(row, (key, True), _build_run(run_id), _EVENT, "{}", 10))

        assert start("c1") == start("c2") == ("started", "c1")
        assert start("c3", key="d!1") == ("started", "c3")
        assert start("c4", msgspec.structs.replace(parent, attempt=9), "e!1").kind == "refused"
        assert run(store.list_children(parent.id)) == [
            ("w", "c1", "running"),
            ("w", "c3", "running"),
        ]
        child = run(store.find("w", "c1", None))
        assert (child.parent, child.parent_key) == (parent.id, "c!1")
        member = _build_member("two")
        (claimed, _) = run(store.claim(member, {"f1": "w"}, 10, orphans=False))
        end = Batch(events=[("", _END)], status="success", releases=True)
        run(store.commit(claimed.id, "two", claimed.attempt, 0, end))
        assert run(store.read_journal(parent.id)).answers == {claimed.parent_key: _END}
        assert run(store.read_states([parent.id]))[parent.id].answers == 1

    def test_restart_finds_the_child_of_a_later_attempt(self, store: RunStore, run: _Await) -> None:
        """A restarted parent finds its unfinished child; a rewound parent releases its children."""
        parent = _begin(store, run)

        def start(run_id: str, key: str) -> Any:
            return run(store.start_child(parent, (key, True), _build_run(run_id), _EVENT, "{}", 10))

        def begin(**options: Any) -> RunRow:
            present, _ = run(store.read(parent.id))
            row: RunRow = run(store.begin(present, "one", _EVENT, "{}", **options))
            return row

        start("c1", "c!1")
        run(store.cancel(run(store.find("w", "c1", None)).id, _END))
        assert start("c2", "c!2") == ("started", "c2")
        parent = begin(drop=["c!1"])
        assert start("c3", "c!1") == ("started", "c2")
        assert run(store.find("w", "c2", None)).parent_key == "c!1"
        parent = begin(keep=None)
        assert run(store.list_children(parent.id)) == []
        assert start("c4", "c!1") == ("started", "c4")

    def test_cancellation_reaches_children(self, store: RunStore, run: _Await) -> None:
        """The children of a canceled run end; a canceled child answers its parent."""
        parent = _begin(store, run)
        for number in (1, 2):
            new, wait = _build_run(f"c{number}"), (f"c{number}!1", number == 1)
            run(store.start_child(parent, wait, new, _EVENT, "{}", 10))
        first = run(store.find("w", "c1", None))
        run(store.cancel(first.id, _END))
        assert run(store.read_journal(parent.id)).answers == {"c1!1": _END}
        run(store.cancel(parent.id, _EVENT))
        assert {status for *_, status in run(store.list_children(parent.id))} == {"canceled"}

    def test_old_runs_are_purged(self, store: RunStore, run: _Await) -> None:
        """Only old runs that have ended or never started are deleted."""
        rows = [_begin(store, run, f"r{number}") for number in range(3)]
        run(store.cancel(rows[0].id, _EVENT))
        run(store.create(_build_run("pending"), 10))
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


def _build_run(run_id: str = "r1", *, scope: str = "", resource_id: str = "") -> NewRun:
    return NewRun(
        workflow="w",
        run_id=run_id,
        scope=scope,
        resource_id=resource_id,
        created_at=1000,
        fingerprint="f1",
    )


def _build_schedule() -> ScheduleRow:
    return ScheduleRow(
        id="wf_w", workflow="w", cron="* * * * *", timezone="UTC", next_at=5000, created_at=1
    )


def _build_member(name: str, *fingerprints: str) -> Member:
    return Member(id=name, name=name, machine="m", process=1, fingerprints=fingerprints)


def _begin(store: RunStore, run: _Await, run_id: str = "r1") -> RunRow:
    created = run(store.create(_build_run(run_id), 10))
    row: RunRow = run(store.begin(created, "one", _EVENT, "{}", fingerprint="f1"))
    return row
