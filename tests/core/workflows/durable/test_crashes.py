"""Runs outlive the processes that execute them. The processes are real."""

import asyncio
import collections
import contextlib
import random
import signal
import time

import pytest

from mastra_core.errors import Conflict
from mastra_core.workflows import RunQuery
from mastra_core.workflows.durable import DurableEngine
from tests.core.workflows.durable.worker import LONG, ORDER, PLAIN, SHORT


@contextlib.asynccontextmanager
async def open_client(url):
    """An engine that starts and observes runs, but executes none."""
    engine = DurableEngine(url, name="client", max_concurrency=0)
    try:
        yield engine
    finally:
        await engine.close()


async def wait_for(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "the condition did not become true in time"
        await asyncio.sleep(0.05)
    return result


def test_killed_run_continues_in_the_next_process(workers):
    async def run_scenario():
        async with open_client(workers.url) as engine:
            run = await engine.create(SHORT)
            await engine.start(run, 1)
            await wait_for(lambda: workers.count_effects("wait_shortly"))
            workers.kill(first)
            started = time.monotonic()
            workers.start("second")
            await wait_for(lambda: workers.count_effects("wait_shortly") == 2)
            assert time.monotonic() - started < 10
            return await asyncio.wait_for(run.wait(), 10)

    first = workers.start("first")
    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", 2)
    assert workers.count_effects("prepare") == 1  # finished steps are not repeated


def test_other_process_takes_over_and_refuses_a_stopped_holder(workers):
    async def run_scenario():
        async with open_client(workers.url) as engine:
            run = await engine.create(SHORT)
            await engine.start(run, 1)
            await wait_for(lambda: workers.count_effects("wait_shortly"))
            first.send_signal(signal.SIGSTOP)
            workers.start("second")
            record = await asyncio.wait_for(run.wait(), 10)
            position = run.position
            first.send_signal(signal.SIGCONT)
            await asyncio.sleep(1.5)  # its step has ended, and its commit was refused
            await run.refresh()
            assert run.position == position
            return record

    first = workers.start("first")
    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", 2)
    assert workers.count_effects("wait_shortly") == 2


def test_process_that_stops_hands_its_runs_back(workers):
    async def run_scenario():
        async with open_client(workers.url) as engine:
            run = await engine.create(SHORT)
            await engine.start(run, 1)
            await wait_for(lambda: workers.count_effects("wait_shortly"))
            first.terminate()
            assert await asyncio.to_thread(first.wait) == 0
            workers.start("second")
            return await asyncio.wait_for(run.wait(), 10)

    first = workers.start("first")
    assert asyncio.run(run_scenario()).status == "success"


def test_cancel_from_another_process(workers):
    async def run_scenario():
        async with open_client(workers.url) as engine:
            run = await engine.create(LONG)
            await engine.start(run, 1)
            await wait_for(lambda: workers.count_effects("wait_long"))
            await engine.cancel(run)
            assert run.record.status == "canceled"
            position = run.position
            follower = await engine.create(PLAIN)  # the process is free again, and alive
            await engine.start(follower, 1)
            assert (await follower.wait()).result == 10
            await run.refresh()
            assert run.position == position

    workers.start()
    asyncio.run(run_scenario())


def test_resume_that_arrives_twice_is_taken_once(workers):
    async def run_scenario():
        async with open_client(workers.url) as one, open_client(workers.url) as two:
            runs = [await one.create(ORDER) for _ in range(10)]
            for run in runs:
                await one.start(run, 1)
            taken = collections.Counter()
            for run in runs:
                assert (await run.wait()).status == "suspended"
                same = await two.get(ORDER, run.run_id)
                jobs = (one.resume(run, 1), two.resume(same, 2))
                results = await asyncio.gather(*jobs, return_exceptions=True)
                errors = [error for error in results if error is not None]
                assert [type(error) for error in errors] == [Conflict]
                record = await run.wait()
                taken[record.result] += 1
                assert record.result == 10 + 1 + results.index(None)
            return taken

    workers.start()
    assert sum(asyncio.run(run_scenario()).values()) == 10


def test_processes_with_one_name_are_distinct(workers):
    async def run_scenario():
        async with open_client(workers.url) as engine:
            runs = [await engine.create(SHORT) for _ in range(4)]
            for run in runs:
                await engine.start(run, 1)
            await wait_for(lambda: workers.count_effects("wait_shortly") == 4)
            workers.kill(first)
            return await asyncio.wait_for(asyncio.gather(*(run.wait() for run in runs)), 15)

    first = workers.start("same")
    workers.start("same")
    records = asyncio.run(run_scenario())
    assert [(record.status, record.result) for record in records] == [("success", 2)] * 4
    assert workers.count_effects("prepare") == 4


@pytest.mark.parametrize(
    ("count", "kills"),
    [(40, 8), pytest.param(1000, 200, marks=pytest.mark.full)],
)
def test_killed_processes_lose_nothing(workers, count, kills):
    generator = random.Random(count)

    async def resume_when_suspended(engine, run):
        record = await run.wait()
        assert record.status == "suspended", record
        await engine.resume(run, 7)
        return await run.wait()

    async def kill_and_start():
        names = ["a", "b", "c"]
        processes = {name: await asyncio.to_thread(workers.start, name) for name in names}
        for _ in range(kills):
            await asyncio.sleep(generator.uniform(0.02, 0.3))
            name = generator.choice(names)
            workers.kill(processes[name])
            processes[name] = await asyncio.to_thread(workers.start, name)

    async def run_scenario():
        async with open_client(workers.url) as engine:
            runs = [await engine.create(ORDER) for _ in range(count)]
            for number, run in enumerate(runs):
                await engine.start(run, number)
            killing = asyncio.create_task(kill_and_start())
            jobs = (resume_when_suspended(engine, run) for run in runs)
            records = await asyncio.wait_for(asyncio.gather(*jobs), 60 + 2 * kills)
            await killing
            counts = await engine.count(ORDER, RunQuery())
            return records, counts

    records, counts = asyncio.run(run_scenario())
    assert counts == {"success": count}
    assert [record.result for record in records] == [(n + 1) * 5 + 7 for n in range(count)]
    effects = collections.Counter(workers.read_effects())
    assert len(effects) == 3 * count  # each step of each run was executed
    repeated = sum(effects.values()) - len(effects)
    assert repeated <= kills * 100  # what a killed process had begun
