"""Commit to the journal of a run, answer its waits, and rewind it."""
# ruff: noqa: PLR2004, S101  # tests assert

from __future__ import annotations

from mastra_core.testing.run_store.run_store_fixtures import EVENT, Run, RunStoreFixtures, begin_run
from mastra_core.workflows.durable import Batch, JournalData, RunStore

__all__ = ("JournalTests",)


class JournalTests(RunStoreFixtures):
    """Test that the outcomes, events, sleeps and answers of a run are stored."""

    def test_commit_stores_everything(self, store: RunStore, run: Run) -> None:
        """Outcomes, events and the end times of sleeps are read as they were stored."""
        row = begin_run(store, run)
        batch = Batch(
            outcomes=[("b#1", '"ü\\u0000"'), ("a#1", "2")],
            events=[("a:started", EVENT), ("", EVENT)],
            wakes=[("a~", 12.5)],
            status="waiting",
        )
        result = run(store.commit(row.id, "one", row.attempt, 0, batch))
        assert (result.kind, result.sequence) == ("stored", 3)
        journal: JournalData = run(store.read_journal(row.id))
        assert [*journal.outcomes.items()] == batch.outcomes
        assert (journal.emitted, journal.wakes) == ({"a:started"}, {"a~": 12.5})
        read, events = run(store.read(row.id, 1))
        assert (read.status, read.sequence, events) == ("waiting", 3, [EVENT, EVENT])

    def test_fence_refuses_earlier_holders(self, store: RunStore, run: Run) -> None:
        """A process that no longer holds a run cannot change the run."""
        row = begin_run(store, run)
        batch = Batch(outcomes=[("a#1", "1")], events=[("", EVENT)])
        run(store.begin(row, "two", EVENT, "{}"))
        for holder, attempt in (("one", row.attempt), ("one", row.attempt + 1), ("two", 1)):
            assert run(store.commit(row.id, holder, attempt, 0, batch)).kind == "refused"
        assert run(store.commit(row.id, "two", row.attempt + 1, 0, batch)).kind == "stored"
        assert run(store.read_states([row.id]))[row.id].sequence == 3

    def test_repeated_commit_is_stored_once(self, store: RunStore, run: Run) -> None:
        """A commit may be repeated if the database's response was lost."""
        row = begin_run(store, run)
        batch = Batch(outcomes=[("a#1", "1")], events=[("", EVENT)])
        for _ in range(2):
            result = run(store.commit(row.id, "one", row.attempt, 0, batch))
            assert (result.kind, result.sequence) == ("stored", 2)
        assert run(store.commit(row.id, "one", row.attempt, 1, Batch())).kind == "stored"

    def test_wait_is_answered_once(self, store: RunStore, run: Run) -> None:
        """If a wait gets two answers, the store keeps the first answer."""
        row = begin_run(store, run)
        answers = [("a!1", EVENT), ("b!1", EVENT)]
        waits = Batch(outcomes=[(f"{name}#1", "1") for name in "abc"])
        run(store.commit(row.id, "one", 1, 0, waits))
        answered, count = run(store.answer(row.id, "two", answers, "1"))
        assert (answered.holder, answered.attempt, answered.answers, count) == ("one", 1, 2, 2)
        assert run(store.answer(row.id, "two", answers, "2")) == (None, 0)
        _, count = run(store.answer(row.id, "two", [*answers, ("c!1", EVENT)], "3"))
        assert count == 1
        assert run(store.read_journal(row.id)).answers == {"a!1": "1", "b!1": "1", "c!1": "3"}
        assert run(store.answer(row.id, "two", [("d!1", EVENT)], "4")) == (None, 0), "no wait"

    def test_run_rests_only_without_new_answers(self, store: RunStore, run: Run) -> None:
        """A process can release a run only after it has read all answers of the run."""
        row = begin_run(store, run)
        run(store.commit(row.id, "one", 1, 0, Batch(outcomes=[("a#1", "1"), ("b#1", "1")])))
        rest = Batch(releases=True, status="suspended", answers=0)
        run(store.answer(row.id, "", [("a!1", EVENT)], "1"))
        assert run(store.commit(row.id, "one", 1, 1, rest)).kind == "answered"
        rest.answers = 1
        assert run(store.commit(row.id, "one", 1, 1, rest)).kind == "stored"
        answered, _ = run(store.answer(row.id, "two", [("b!1", EVENT)], "1"))
        assert (answered.holder, answered.attempt) == ("two", 2)

    def test_rewound_run_forgets_outcomes(self, store: RunStore, run: Run) -> None:
        """A second execution keeps outcomes in ``keep``, and may emit events in ``drop`` again."""
        row = begin_run(store, run)
        batch = Batch(
            outcomes=[("a#1", "1"), ("b#1", "2")], events=[("a:ended", EVENT), ("b:ended", EVENT)]
        )
        run(store.commit(row.id, "one", 1, 0, batch))
        row = run(store.read(row.id))[0]
        again = run(store.begin(row, "two", EVENT, "{}", keep=["a#1"], drop=["b:ended"]))
        journal = run(store.read_journal(row.id))
        assert (journal.outcomes, journal.emitted) == ({"a#1": "1"}, {"a:ended"})
        assert (again.attempt, again.sequence) == (2, 4)

    def test_run_forgets_its_whole_journal(self, store: RunStore, run: Run) -> None:
        """The run forgets even an answer that arrived after the caller had read the run."""
        row = begin_run(store, run)
        events = [("a:started", EVENT)]
        batch = Batch(outcomes=[("a#1", "1")], events=events, wakes=[("b~", 2.5)])
        run(store.commit(row.id, "one", row.attempt, 0, batch))
        answered, _ = run(store.answer(row.id, "", [("a!1", EVENT)], "1"))
        run(store.begin(answered, "two", EVENT, "{}", keep=None))
        assert run(store.read_journal(row.id)) == JournalData(answer_count=1)
        assert len(run(store.read(row.id))[1]) == 4, "readers still get the events"
