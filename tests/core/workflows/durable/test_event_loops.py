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
