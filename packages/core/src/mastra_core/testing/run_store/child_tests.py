"""Start child runs, and end them with their parent."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.testing.run_store.run_store_fixtures import (
    END,
    EVENT,
    Run,
    RunStoreFixtures,
    begin_run,
    build_member,
    build_run,
)
from mastra_core.workflows.durable import Batch, RunRow, RunStore

__all__ = ("ChildTests",)


class ChildTests(RunStoreFixtures):
    """The child runs of a run."""

    def test_child_is_started_once(self, store: RunStore, run: Run) -> None:
        """A child is started once, and only by the process that holds the parent."""
        parent = begin_run(store, run)

        def start(run_id: str, row: RunRow = parent, key: str = "c!1") -> Any:
            return run(store.start_child(row, (key, True), build_run(run_id), EVENT, "{}", 10))

        assert start("c1") == start("c2") == ("started", "c1")
        assert start("c3", key="d!1") == ("started", "c3")
        assert start("c4", msgspec.structs.replace(parent, attempt=9), "e!1").kind == "refused"
        assert run(store.list_children(parent.id)) == [
            ("w", "c1", "running"),
            ("w", "c3", "running"),
        ]
        child = run(store.find("w", "c1", None))
        assert (child.parent, child.parent_key) == (parent.id, "c!1")
        member = build_member("two")
        (claimed, _) = run(store.claim(member, {"f1": "w"}, 10, orphans=False))
        end = Batch(events=[("", END)], status="success", releases=True)
        run(store.commit(claimed.id, "two", claimed.attempt, 0, end))
        assert run(store.read_journal(parent.id)).answers == {claimed.parent_key: END}
        assert run(store.read_states([parent.id]))[parent.id].answers == 1

    def test_restart_finds_the_child_of_a_later_attempt(self, store: RunStore, run: Run) -> None:
        """A restarted run finds its unfinished child run; a rewound run loses its child runs."""
        parent = begin_run(store, run)

        def start(run_id: str, key: str) -> Any:
            return run(store.start_child(parent, (key, True), build_run(run_id), EVENT, "{}", 10))

        def begin(**options: Any) -> RunRow:
            present, _ = run(store.read(parent.id))
            row: RunRow = run(store.begin(present, "one", EVENT, "{}", **options))
            return row

        start("c1", "c!1")
        run(store.cancel(run(store.find("w", "c1", None)).id, END))
        assert start("c2", "c!2") == ("started", "c2")
        parent = begin(drop=["c!1"])
        assert start("c3", "c!1") == ("started", "c2")
        assert run(store.find("w", "c2", None)).parent_key == "c!1"
        parent = begin(keep=None)
        assert run(store.list_children(parent.id)) == []
        assert start("c4", "c!1") == ("started", "c4")

    def test_cancellation_reaches_children(self, store: RunStore, run: Run) -> None:
        """Canceling a run ends its child runs; canceling a child run resumes its waiting parent."""
        parent = begin_run(store, run)
        for number in (1, 2):
            new, wait = build_run(f"c{number}"), (f"c{number}!1", number == 1)
            run(store.start_child(parent, wait, new, EVENT, "{}", 10))
        first = run(store.find("w", "c1", None))
        run(store.cancel(first.id, END))
        assert run(store.read_journal(parent.id)).answers == {"c1!1": END}
        run(store.cancel(parent.id, EVENT))
        assert {status for *_, status in run(store.list_children(parent.id))} == {"canceled"}
