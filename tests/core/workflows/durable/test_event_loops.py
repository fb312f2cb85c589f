"""An event loop ends, whenever it ends and whatever runs it has."""

import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, sys
from mastra_core import Workflow, step
from mastra_core.workflows.durable import DurableEngine

@step
async def wait(number: int) -> int:
    await asyncio.Event().wait()

workflow = Workflow("endless", input=int).then(wait)
engine = DurableEngine(sys.argv[1])

async def start(number):
    run = await engine.create(workflow, f"run-{number}")
    await engine.start(run, number)
    await asyncio.sleep(0.001 * number)
    if number % 2:
        await engine.cancel(run)

for number in range(40):
    asyncio.run(start(number))  # nobody closes the engine
print("ended")
"""


@pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
def test_every_event_loop_ends(database_url):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, database_url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "ended\n", done.stderr


BESIDE = """
import asyncio, sys, threading
from mastra_core import Workflow, step
from mastra_core.workflows.durable import DurableEngine

@step
async def add_one(number: int) -> int:
    return number + 1

workflow = Workflow("w").then(add_one)
engine = DurableEngine(sys.argv[1])

def count():
    tasks = sum(task.get_name() == "durable runs" for task in asyncio.all_tasks())
    return tasks, sum(each.name == "mastra-heartbeat" for each in threading.enumerate())

async def work():
    await engine.open([workflow])
    for number in range(5):
        await asyncio.to_thread(lambda: asyncio.run(engine.list(workflow)))
        run = await engine.create(workflow)
        await engine.start(run, number)
        assert (await asyncio.wait_for(run.wait(), 10)).result == number + 1
    async with asyncio.timeout(10):
        while count() != (1, 1):  # the thread of the last loop may need a moment to end
            await asyncio.sleep(0.01)
    await engine.close()
    return count()

print(asyncio.run(work()))
"""


def test_loop_beside_another_one_leaves_nothing_open(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BESIDE, f"sqlite:///{tmp_path}/runs.db"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "(0, 0)\n", done.stderr
