"""Suspended runs cost a process neither memory nor time, however many there are."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from mastra_core.workflows import RunQuery
from tests.core.workflows.durable.test_crashes import open_client
from tests.core.workflows.durable.worker import WAITING

MEGABYTE = 2**20
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc is missing")


def read_memory(process):
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def read_cpu_seconds(process):
    """The processor time of a process, of all its threads."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def wait_for_status(engine, status, count):
    deadline = time.monotonic() + 30 + count / 20
    while (counts := await engine.count(WAITING, RunQuery())).get(status, 0) < count:
        assert time.monotonic() < deadline, counts
        await asyncio.sleep(0.1)


async def start_many(engine, count):
    """Start runs, one after the other, so that their handles are freed."""
    for number in range(count):
        await engine.start(await engine.create(WAITING, f"r{number}"), number)


async def observe_idle(process, seconds=3):
    """Return the processor seconds that a process needs while nothing happens."""
    before = read_cpu_seconds(process)
    await asyncio.sleep(seconds)
    return read_cpu_seconds(process) - before


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.full)])
def test_suspended_runs_need_no_memory_and_no_recovery(workers, count):
    warm = count // 2

    async def run_scenario():
        async with open_client(workers.url) as engine:
            await start_many(engine, warm)
            await wait_for_status(engine, "suspended", warm)
            memory = [read_memory(first)]
            for number in range(warm, count):
                await engine.start(await engine.create(WAITING, f"r{number}"), number)
            await wait_for_status(engine, "suspended", count)
            memory.append(read_memory(first))
            workers.kill(first)
            second = await asyncio.to_thread(workers.start, "second")
            started = [read_cpu_seconds(second), read_memory(second)]
            idle = await observe_idle(second)
            memory.append(read_memory(second))
            runs = [await engine.get(WAITING, f"r{number}") for number in (0, count - 1)]
            attempts = [run.row.attempt for run in runs]
            resumed_at = time.monotonic()
            await engine.resume(runs[0], 7)
            assert (await asyncio.wait_for(runs[0].wait(), 10)).result == 7
            delay = time.monotonic() - resumed_at
        return memory, started, idle, attempts, delay

    first = workers.start("first")
    memory, started, idle, attempts, delay = asyncio.run(run_scenario())
    assert memory[1] - memory[0] < 12 * MEGABYTE, "the worker that has executed them"
    assert memory[2] - started[1] < 12 * MEGABYTE, "the worker that was started afterwards"
    assert memory[2] < memory[0] + 12 * MEGABYTE
    assert idle < 0.6, "seconds of processor time in three seconds"
    assert attempts == [2, 2], "begun and claimed once, and not executed again"
    assert delay < 5
