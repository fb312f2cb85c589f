"""Register schedules, and start their runs."""
# ruff: noqa: PLR2004, S101  # tests assert

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.testing.run_store.run_store_fixtures import (
    EVENT,
    Run,
    RunStoreFixtures,
    build_member,
    build_run,
    build_schedule,
)
from mastra_core.workflows.durable import RunStore, ScheduleRow
from mastra_core.workflows.engine.run_events import get_timestamp_ms
from mastra_core.workflows.engine.run_query import RunQuery

__all__ = ("ScheduleTests",)


class ScheduleTests(RunStoreFixtures):
    """The schedules of workflows."""

    def test_schedule_starts_each_run_once(self, store: RunStore, run: Run) -> None:
        """If two processes start the run of the same scheduled time, only one succeeds."""
        run(store.register_schedule(build_schedule()))
        now, (schedule,) = run(store.read_schedules())
        assert schedule == build_schedule()
        assert abs(now - get_timestamp_ms()) < 60_000

        def fire(row: ScheduleRow) -> Any:
            new = build_run(f"sched_{row.next_at}")
            return run(store.fire_schedule(row, row.next_at + 1000, new, EVENT, "{}", '{"a":1}'))

        assert fire(schedule)
        assert not fire(schedule)
        ((row, events),) = run(store.list("w", RunQuery(run_id_prefix="sched_")))
        assert (row.run_id, row.status, row.context, events) == (
            "sched_5000",
            "running",
            '{"a":1}',
            [EVENT],
        )
        assert len(run(store.claim(build_member("one"), {"f1": "w"}, 10, orphans=False))) == 1
        _, (changed,) = run(store.read_schedules())
        assert (changed.next_at, changed.last_at, changed.last_run) == (6000, 5000, "sched_5000")

    def test_schedule_is_changed(self, store: RunStore, run: Run) -> None:
        """A schedule that is registered again stays paused; a new expression moves its start."""
        row = build_schedule()
        run(store.register_schedule(row))
        run(store.set_schedule_status("wf_w", "paused", 5000))
        run(store.register_schedule(msgspec.structs.replace(row, next_at=9000)))
        _, (paused,) = run(store.read_schedules())
        assert (paused.status, paused.next_at) == ("paused", 5000)
        assert not run(store.fire_schedule(paused, 6000, build_run(), EVENT, "{}"))
        run(store.register_schedule(msgspec.structs.replace(row, cron="@daily", next_at=9000)))
        _, (changed,) = run(store.read_schedules())
        assert (changed.status, changed.cron, changed.next_at) == ("paused", "@daily", 9000)
        daily = msgspec.structs.replace(row, cron="@daily", next_at=9500, member="one")
        run(store.register_schedule(daily))
        assert run(store.read_schedules())[1][0].member == "", "the process is dead"
        run(store.beat(build_member("one"), 60))
        _, (adopted,) = run(store.read_schedules())
        assert (adopted.member, adopted.next_at) == ("one", 9000)
        run(store.set_schedule_status("wf_w", "active", 7000))
        assert run(store.read_schedules())[1][0].next_at == 7000
        assert not run(store.fire_schedule(row, 8000, build_run(), EVENT, "{}")), "another cron"

    def test_schedules_are_selected(self, store: RunStore, run: Run) -> None:
        """A look reads the schedules that are due, and those whose process is dead."""
        run(store.beat(build_member("one"), 60))
        now, _ = run(store.read_schedules())
        for name, delay, member in (("a", -500, "one"), ("b", 60_000, "one"), ("c", 60_000, "two")):
            row = build_schedule(id=name, next_at=now + delay, member=member)
            run(store.register_schedule(row))
        _, rows = run(store.read_schedules(within=1_000))
        assert [row.id for row in rows] == ["a", "c"]
        run(store.set_schedule_status("a", "paused", now))
        _, rows = run(store.read_schedules(within=1_000))
        assert [row.id for row in rows] == ["c"]
        assert [row.id for row in run(store.read_schedules("b"))[1]] == ["b"]
        assert [row.id for row in run(store.read_schedules())[1]] == ["a", "b", "c"]
