"""Processes of two builds share a database. Each run is executed by a process with its workflow."""

import asyncio
import collections
import random

import pytest

from mastra_core.database.url import parse_database_url
from mastra_core.workflows.durable.store.run_store_factory import create_run_store
from tests.core.workflows.durable.test_crashes import open_client
from tests.core.workflows.durable.worker import BUILDS, NEW_CHANGE, OLD_CHANGE

WORKFLOWS = {"old": OLD_CHANGE, "new": NEW_CHANGE}
READERS = 100  # runs that the client reads at once, with the ten connections of its engine


def compute_result(build, n):
    return (n + 1) * (2 if build == "old" else 6) + 7


async def resume_and_wait(engine, run):
    assert (await run.wait()).status == "suspended"
    await engine.resume(run, 7)
    return await run.wait()


@pytest.mark.parametrize(
    ("count", "kills"), [(8, 2), pytest.param(500, 60, marks=pytest.mark.full)]
)
def test_rolling_deploy_with_kills(workers, count, kills):
    """Old runs finish in old processes, and new ones in new processes."""
    generator = random.Random(count)

    async def kill_and_start():
        processes = {
            build: await asyncio.to_thread(workers.start, build, build) for build in WORKFLOWS
        }
        for build in generator.choices([*WORKFLOWS], k=kills):
            await asyncio.sleep(generator.uniform(0.02, 0.3))
            workers.kill(processes[build])
            processes[build] = await asyncio.to_thread(workers.start, build, build)

    async def run_scenario():
        async with open_client(workers.url) as old, open_client(workers.url) as new:
            runs = []
            for number in range(count):
                for build, engine in (("old", old), ("new", new)):
                    run = await engine.create(WORKFLOWS[build], f"{build}-{number}")
                    await engine.start(run, number)
                    # Each request may reach a server of the other build.
                    other = new if engine is old else old
                    runs.append(await other.get(WORKFLOWS[build], run.run_id))
            killing = asyncio.create_task(kill_and_start())
            jobs = (resume_and_wait(new, run) for run in runs)
            records = await asyncio.wait_for(asyncio.gather(*jobs), 60 + 10 * kills)
            await killing
            return {record.run_id: record.result for record in records}

    results = asyncio.run(run_scenario())
    assert results == {
        f"{build}-{number}": compute_result(build, number)
        for build in WORKFLOWS
        for number in range(count)
    }
    effects = collections.Counter(workers.read_effects())
    assert {line.split("-")[0] for line in effects if line.endswith(" right")} == {"new"}
    assert len(effects) == count * (2 + 3)


def test_runs_without_a_process_are_parked_and_continue(workers):
    """A new process leaves old runs alone, until a process with their workflow starts."""

    async def run_scenario():
        store = create_run_store(parse_database_url(workers.url))
        async with open_client(workers.url) as engine:
            killed, resumed = [await engine.create(OLD_CHANGE) for _ in range(2)]
            await engine.start(resumed, 1)
            assert (await resumed.wait()).status == "suspended"
            workers.kill(old)
            await engine.start(killed, 2)
            workers.start("new", "new")
            await engine.resume(resumed, 7)
            await wait_for_parked(store, 2)
            fresh = await engine.create(NEW_CHANGE)
            await engine.start(fresh, 3)
            assert (await resume_and_wait(engine, fresh)).result == compute_result("new", 3)
            assert killed.record.status == resumed.record.status == "running"
            workers.start("old", "old")
            results = [(await resume_and_wait(engine, killed)).result]
            results.append((await resumed.wait()).result)
            assert not (await store.measure_backlog()).parked
        await store.close()
        return results

    old = workers.start("old")
    assert asyncio.run(run_scenario()) == [compute_result("old", 2), compute_result("old", 1)]


async def wait_for_parked(store, count):
    for _ in range(100):
        groups = (await store.measure_backlog()).parked
        if sum(each.count for each in groups) == count:
            break
        await asyncio.sleep(0.1)
    (parked,) = groups
    assert parked.count == count
    assert (parked.workflow, parked.fingerprint) == ("change", OLD_CHANGE.fingerprint)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_new_process_with_the_previous_workflow_continues_old_runs(workers):
    """One process is enough, if the new build keeps the old description."""

    async def run_scenario():
        async with open_client(workers.url) as engine:
            run = await engine.create(OLD_CHANGE)
            await engine.start(run, 1)
            assert (await run.wait()).status == "suspended"
            workers.kill(old)
            workers.start("both", "both")
            fresh = await engine.create(BUILDS["both"])
            await engine.start(fresh, 1)
            await engine.resume(run, 7)
            return await run.wait(), await resume_and_wait(engine, fresh)

    old = workers.start("old")
    records = asyncio.run(run_scenario())
    assert [record.result for record in records] == [
        compute_result("old", 1),
        compute_result("new", 1),
    ]
