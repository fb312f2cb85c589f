"""The end of a process on this machine is noticed before its lease ends."""

import asyncio
import os
import subprocess
import sys

import pytest

from mastra_core import Workflow
from mastra_core.database.url import parse_database_url
from mastra_core.workflows.durable import Member
from mastra_core.workflows.durable.heartbeat import find_dead_members, identify_machine
from mastra_core.workflows.durable.store.run_store_factory import create_run_store
from tests.core.workflows.durable.test_interleavings import open_engines
from tests.core.workflows.sample_steps import add_one

PLAIN = Workflow("w").then(add_one)
HOUR = 3600

pytestmark = pytest.mark.skipif(not identify_machine(), reason="the system identifies no machine")


@pytest.fixture
def dead_process():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def build_member(process, machine):
    return Member(id="lost", name="lost", machine=machine, process=process, fingerprints=())


def test_only_an_ended_process_of_this_machine_is_dead(dead_process):
    here = identify_machine()
    dead = build_member(dead_process, here)
    others = [
        build_member(os.getpid(), here),
        build_member(os.getppid(), here),
        build_member(dead_process, "another machine"),
        build_member(dead_process, ""),
    ]
    assert find_dead_members([dead, *others], here) == [dead]
    assert find_dead_members([dead, *others], "") == [], "the ids of processes mean nothing"


def test_run_of_an_ended_process_is_continued_at_once(database_url, dead_process):
    async def hold_run():
        """Let the ended process hold a run and a lease of an hour."""
        async with open_engines(database_url, "starter", max_concurrency=0) as (starter,):
            run = await starter.create(PLAIN, "r")
            await starter.start(run, 1)
        store = create_run_store(parse_database_url(database_url))
        member = build_member(dead_process, identify_machine())
        await store.open()
        await store.beat(member, HOUR)
        claimed = await store.claim(member, {PLAIN.fingerprint: "w"}, 1, orphans=False)
        assert [row.run_id for row in claimed] == ["r"]
        await store.close()

    async def run_scenario():
        await hold_run()
        async with open_engines(database_url, "next", lease=HOUR) as (engine,):
            return await asyncio.wait_for((await engine.get(PLAIN, "r")).wait(), 10)

    assert asyncio.run(run_scenario()).result == 2
