"""List and count runs."""
# ruff: noqa: PLR2004, S101  # tests assert

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.testing.run_store.run_store_fixtures import (
    END,
    EVENT,
    Run,
    RunStoreFixtures,
    build_run,
)
from mastra_core.workflows.durable import Batch, RunRow, RunStore
from mastra_core.workflows.engine.run_query import RunCursor, RunQuery
from mastra_core.workflows.engine.run_record import Status

__all__ = ("ListTests",)


class ListTests(RunStoreFixtures):
    """Test that queries list and count runs."""

    def test_runs_are_selected(self, store: RunStore, run: Run) -> None:
        """A query selects the same runs for a list and for a count, and pages divide the list."""
        for number in range(4):
            owner = "ann" if number % 2 else "bob"
            new = build_run(f"r{number}", resource_id=owner)
            created = run(store.create(msgspec.structs.replace(new, created_at=number), 10))
            if number:
                run(store.begin(created, "one", EVENT, "{}"))

        def select(**fields: Any) -> list[str]:
            found = run(store.list("w", RunQuery(**fields)))
            return [row.run_id for row, _ in found]

        assert select() == ["r3", "r2", "r1", "r0"]
        assert select(resource_id="ann") == ["r3", "r1"]
        assert select(status="running", offset=1, limit=1) == ["r2"]
        assert select(status=("pending", "running"), limit=2, offset=2) == ["r1", "r0"]
        assert select(status=("waiting", "pending", "\0")) == ["r0"]
        assert select(since=1, until=2) == ["r2", "r1"]
        assert run(store.count("w", RunQuery(limit=1))) == {"pending": 1, "running": 3}
        assert run(store.count("w", RunQuery(resource_id="bob", since=1))) == {"running": 1}
        assert run(store.list("w", RunQuery(limit=1)))[0][1] == [EVENT]

    def test_text_that_no_database_stores_selects_no_run(self, store: RunStore, run: Run) -> None:
        """A request with a text that no database can store finds nothing, and raises no error."""
        run(store.create(build_run(), 10))
        for text in ("r\0", "r\ud800"):
            assert run(store.find("w", text, None)) is None
            assert run(store.find("w", "r1", text)) is None
            assert run(store.list("w", RunQuery(status=text))) == []
            assert run(store.list("w", RunQuery(status=(text, text)))) == []
            assert run(store.count("w", RunQuery(run_id=text))) == {}
            assert run(store.list_workflows(text)) == run(store.list_unfinished(text, 0, 10)) == []

    def test_lists_continue_after_a_run(self, store: RunStore, run: Run) -> None:
        """No run is missed or repeated if other runs leave the list between two pages."""
        rows = {}
        for number in range(7):
            new = msgspec.structs.replace(build_run(f"r{number}"), created_at=number // 3)
            rows[new.run_id] = run(store.create(new, 10))

        def read(order: Any, after: RunCursor | None) -> list[RunRow]:
            query = RunQuery(status="pending", order=order, after=after, limit=2)
            return [row for row, _ in run(store.list("w", query))]

        first = read("created", None)
        assert [row.run_id for row in first] == ["r6", "r5"]
        for row in first:
            run(store.cancel(row.id, END))
        second = read("created", RunCursor(first[-1].created_at, first[-1].id))
        assert [row.run_id for row in second] == ["r4", "r3"]
        second = read("updated", RunCursor(rows["r5"].updated_at, rows["r5"].id))
        assert [row.run_id for row in second] == ["r4", "r3"]
        run(store.cancel(second[0].id, END))
        last = read("updated", RunCursor(second[-1].updated_at, second[-1].id))
        assert [row.run_id for row in last] == ["r2", "r1"]
        query = RunQuery(after=RunCursor(0, last[-1].id), limit=1)
        assert run(store.count("w", query)) == {"pending": 4, "canceled": 3}, "of all pages"

    def test_lists_read_the_ends_of_runs(self, store: RunStore, run: Run) -> None:
        """A query can read only the first and last events, and sort runs by their last change."""
        for number in range(3):
            new = build_run(f"r{number}")
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
        assert read(last_events=2, status=("waiting", "running")) == read(last_events=2)
        assert read(last_events=2, thread="t1") == [['"first 1"', '"1 2"', '"1 3"']]
        assert run(store.count("w", RunQuery(thread="t0"))) == {"running": 2}
        changes = [event[0] for event in read(order="updated", last_events=0)]
        assert sorted(changes) == ['"first 0"', '"first 1"', '"first 2"']
        assert read(updated_since=2**52) == []

    def test_lists_read_the_outer_steps_of_finished_runs(self, store: RunStore, run: Run) -> None:
        """A list has no written values, and may omit inner or all steps of finished runs."""
        outer = [("each:started", '"outer start"'), ("each:ended", '"outer end"')]
        inner = [("each[0]:started", '"item"'), ("each#1.s:started", '"inner"')]
        write = [("each:wrote1.1", '{"type":"step-wrote","step":"each","chunk":1}')]
        for number, is_finished in enumerate((False, True)):
            new = msgspec.structs.replace(build_run(f"r{number}"), created_at=number)
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
