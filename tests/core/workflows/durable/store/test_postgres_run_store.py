"""What only a database with locks and notifications does for durable runs."""

import asyncio

import msgspec
import psycopg
import pytest

from mastra_core.testing.run_store.run_store_fixtures import (
    END,
    EVENT,
    begin_run,
    build_member,
    build_run,
    build_schedule,
)
from mastra_core.workflows.durable import Batch
from mastra_core.workflows.durable.store.postgres_run_store import PostgresRunStore


@pytest.fixture
def url(run_database):
    return run_database()


@pytest.fixture
def store(url):
    return PostgresRunStore(url)


@pytest.fixture
def run(store):
    with asyncio.Runner() as runner:
        runner.run(store.open())
        yield runner.run
        runner.run(store.close())


@pytest.fixture
def count_notifications(url):
    """A function that returns how many notifications have come since its last call."""
    with (
        psycopg.connect(url, autocommit=True) as listener,
        # psycopg below 3.2.4 loses the notifications that arrive during a command.
        psycopg.connect(url, autocommit=True) as sender,
    ):
        listener.execute("LISTEN mastra_runs")

        def count():
            sender.execute("NOTIFY mastra_runs, 'last'")  # arrives after all earlier ones
            for number, each in enumerate(listener.notifies(timeout=20)):
                if each.payload == "last":
                    return number
            raise AssertionError("the own notification did not arrive")

        yield count


def test_changes_that_concern_other_processes_notify_them(store, run, count_notifications):
    own = begin_run(store, run)
    assert count_notifications() == 0, "the process that starts a run executes it"
    waiting = run(store.create(build_run("r2"), 10))
    run(store.begin(waiting, "", EVENT, "{}", fingerprint="f1"))
    assert count_notifications() == 1, "another process may execute the run"
    run(store.claim(build_member("two"), {"f1": "w"}, 10, orphans=False))
    run(store.commit(own.id, "one", 1, 0, Batch(outcomes=[("a#1", "1"), ("b#1", "1")])))
    assert count_notifications() == 0
    run(store.answer(own.id, "one", [("a!1", EVENT)], "1"))
    assert count_notifications() == 0, "the process that answers executes the run"
    run(store.answer(own.id, "two", [("b!1", EVENT)], "1"))
    assert count_notifications() == 1, "the holder of the run continues it"
    run(store.answer(own.id, "two", [("b!1", EVENT)], "2"))
    assert count_notifications() == 0, "the wait has its answer already"
    child = (("c!1", True), build_run("r3"), EVENT, "{}", 10)
    run(store.start_child(own, *child))
    run(store.start_child(msgspec.structs.replace(own, attempt=9), *child))
    assert count_notifications() == 1, "one child was started, one was refused"
    run(store.cancel(own.id, END))
    run(store.cancel(own.id, END))
    assert count_notifications() == 1, "one run was canceled, once"
    run(store.release("two"))
    assert count_notifications() == 1
    run(store.register_schedule(build_schedule()))
    _, (schedule,) = run(store.read_schedules())
    for _ in range(2):
        run(store.fire_schedule(schedule, 6000, build_run("s1"), EVENT, "{}"))
    assert count_notifications() == 1, "the schedule has started one run"


def test_claim_skips_runs_that_another_transaction_has_locked(store, run, url):
    for number in range(2):
        created = run(store.create(build_run(f"r{number}"), 10))
        run(store.begin(created, "", EVENT, "{}", fingerprint="f1"))
    with psycopg.connect(url) as other:
        other.execute("SELECT 1 FROM mastra_runs WHERE run_id = 'r0' FOR UPDATE")
        claim = store.claim(build_member("one"), {"f1": "w"}, 10, orphans=False)
        claimed = run(asyncio.wait_for(claim, 10))
    assert [row.run_id for row in claimed] == ["r1"]
