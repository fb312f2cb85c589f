"""A run that loses its process at any write of the journal has the result of a plain evaluation."""

import asyncio
import collections
import logging
import random
import secrets
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mastra_core import DurableEngine
from mastra_core.database.url import parse_database_url
from mastra_core.errors import Conflict
from mastra_core.workflows import RunRecord
from mastra_core.workflows.durable.store.run_store_factory import create_run_store
from tests.core.workflows.durable.crashing_store import CrashingStore
from tests.core.workflows.random_workflows import RandomWorkflow, leaves, workflow_parts

RANDOM = settings(
    derandomize=True,  # the same workflows on every machine
    deadline=None,
    suppress_health_check=[*HealthCheck],
)


def build_parallel_parts(parts):
    return st.builds(
        lambda arms, rest: (("parallel", tuple(("nested", arm) for arm in arms)), *rest),
        st.lists(parts, min_size=2, max_size=3),
        parts,
    )


parallel_parts = build_parallel_parts(workflow_parts)
small_parts = build_parallel_parts(st.lists(leaves, min_size=1, max_size=3).map(tuple))


@pytest.fixture(autouse=True)
def silent_logger():
    logger = logging.getLogger("mastra.workflows")
    logger.disabled = True
    yield
    logger.disabled = False


@pytest.fixture
def open_store(database_url):
    """A function that opens the database with connections of its own."""
    return lambda: create_run_store(parse_database_url(database_url))


async def end_all_tasks():
    """End everything else in this event loop, also what timers begin meanwhile."""
    await asyncio.sleep(0)
    while tasks := list_other_tasks():
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1)
        await asyncio.sleep(0.005)


def list_other_tasks():
    """Return the tasks besides this one, without those that close the connections of a pool."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    return {task for task in tasks if not task.get_name().startswith(("pool-", "close "))}


class Lives:
    """The processes that execute one run, one after the other.

    :param open_store: opens the database.
    :param parts: the parts of the random workflow.
    :param value: the input of the run.
    """

    def __init__(self, open_store, parts, value):
        self.random_workflow = RandomWorkflow(parts)
        self._open_store, self._value, self._run_id = open_store, value, secrets.token_hex(8)
        self._stored = collections.Counter()

    def live(self, last=0, is_stored=False):
        """Execute the run until it ends, or its process dies; return the record and the writes."""
        record, store = asyncio.run(self._live(last, is_stored))
        for thread in threading.enumerate():
            if thread.name == "mastra-heartbeat":  # it would report the process in the next life
                thread.join()
        self._stored.update(store.outcomes)
        return record, store.writes

    async def _live(self, last, is_stored):
        inner = self._open_store()
        store = CrashingStore(inner, last, is_stored)
        engine = DurableEngine(store, max_takeovers=10_000)
        driver = asyncio.create_task(self._drive(engine))
        death = asyncio.create_task(store.died.wait())
        await asyncio.wait({driver, death}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        if store.died.is_set():
            await end_all_tasks()
            await inner.remove_members([member.id for member in await inner.list_members()])
            await inner.close()
            return None, store
        assert driver.done(), "the run did not end in time"
        await engine.close()
        return driver.result(), store

    async def _drive(self, engine):
        """Do what the caller of a run does; a caller whose process died begins again."""
        run = await engine.create(self.random_workflow.workflow, self._run_id)
        if run.record.status == "pending":
            await engine.start(run, self._value)
        record = await run.wait()
        while record.suspended_steps:
            path = record.suspended_steps[0]
            answer = RandomWorkflow.compute_answer(record.steps[path].suspend_payload)
            try:
                await engine.resume(run, answer, step=path)
            except Conflict:  # taken in an earlier life, whose execution has not gone on yet
                await asyncio.sleep(0.01)
            record = await run.wait()
        events = [event async for event in run.iter_events()]
        again = RunRecord(run_id=record.run_id, workflow_id="whole", created_at=record.created_at)
        for event in events:
            again.apply(event)
        assert again == record
        return record

    def check(self, record):
        expected = self.random_workflow.compute_expected(self._value)
        assert record.status == ("failed" if expected is None else "success"), record.error
        assert record.result == expected
        assert record.open == {}
        statuses = {item.status for item in record.steps.values()}
        assert statuses <= {"success", "failed", "canceled", "bailed"}, record.steps
        assert set(self._stored.values()) <= {1}  # what was recorded was never executed again


def check_death_at_each_write(open_store, parts, value):
    """Kill one process at each write, alternately before and after the database has stored it."""
    whole = Lives(open_store, parts, value)
    record, count = whole.live()
    whole.check(record)
    for number in range(1, count + 1):
        lives = Lives(open_store, parts, value)
        record, _ = lives.live(number, is_stored=(number + value) % 2 == 0)
        if record is None:
            record, _ = lives.live()
        lives.check(record)


def check_repeated_deaths(open_store, parts, value, seed):
    """Kill each process of a run at one of its first writes."""
    generator = random.Random(seed)
    lives, record = Lives(open_store, parts, value), None
    while record is None:
        record, _ = lives.live(generator.randint(2, 5), is_stored=generator.random() < 0.5)
    lives.check(record)


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@on_sqlite
@settings(RANDOM, max_examples=1)
@given(parts=small_parts, value=st.integers(0, 9))
def test_death_at_each_write_of_one_run(open_store, parts, value):
    check_death_at_each_write(open_store, parts, value)


@on_sqlite
@settings(RANDOM, max_examples=3)
@given(parts=small_parts, value=st.integers(0, 9), seed=st.integers(0, 1000))
def test_repeated_deaths_of_three_runs(open_store, parts, value, seed):
    check_repeated_deaths(open_store, parts, value, seed)


@pytest.mark.full
@on_sqlite
@settings(RANDOM, max_examples=100)
@given(parts=small_parts, value=st.integers(0, 9))
def test_death_at_each_write(open_store, parts, value):
    check_death_at_each_write(open_store, parts, value)


@pytest.mark.full
@on_sqlite
@settings(RANDOM, max_examples=100)
@given(parts=parallel_parts, value=st.integers(0, 9), seed=st.integers(0, 1000))
def test_repeated_deaths(open_store, parts, value, seed):
    check_repeated_deaths(open_store, parts, value, seed)


@pytest.mark.full
@on_postgres
@settings(RANDOM, max_examples=10)
@given(parts=small_parts, value=st.integers(0, 9), seed=st.integers(0, 1000))
def test_repeated_deaths_on_postgres(open_store, parts, value, seed):
    check_repeated_deaths(open_store, parts, value, seed)
