"""A process that executes durable runs until a signal ends it.

Each step writes a line to the file EFFECTS, so that a test sees how often it was executed.
"""

import asyncio
import dataclasses
import os
import signal
import sys
from pathlib import Path

from mastra_core import StepContext, Workflow, as_step, step
from mastra_core.workflows.durable import DurableEngine

EFFECTS = Path(os.environ.get("EFFECTS", os.devnull))


def record_effect(context):
    with EFFECTS.open("a") as file:
        file.write(f"{context.run_id} {context.path}\n")


@step
async def prepare(n: int, context: StepContext) -> int:
    record_effect(context)
    await asyncio.sleep(0.01)
    return n + 1


@step
async def left(n: int, context: StepContext) -> int:
    record_effect(context)
    await asyncio.sleep(0.02)
    return n * 2


@step
def right(n: int, context: StepContext) -> int:
    record_effect(context)
    return n * 3


@step(resume=int)
async def ask(n: int, context: StepContext) -> int:
    if context.resume_data is None:
        context.suspend({"n": n})
    return n + context.resume_data


@step
async def wait_long(n: int, context: StepContext) -> int:
    record_effect(context)
    await asyncio.sleep(60)
    return n


@step
async def wait_shortly(n: int, context: StepContext) -> int:
    record_effect(context)
    await asyncio.sleep(1)
    return n


def add(values: dict) -> int:
    return sum(values.values())


ORDER = Workflow("order").then(prepare).parallel(left, right).map(add, id="add").then(ask)
PLAIN = Workflow("plain").then(prepare).parallel(left, right).map(add, id="add")
LONG = Workflow("long").then(prepare).then(wait_long)
SHORT = Workflow("short").then(prepare).then(wait_shortly)
# Two builds of an application: the new one has another step in the middle of the workflow.
OLD_CHANGE = Workflow("change").then(prepare).then(left).then(ask)
NEW_CHANGE = Workflow("change").then(prepare).then(right).then(left).then(ask)
BUILDS = {
    "old": OLD_CHANGE,
    "new": NEW_CHANGE,
    "both": dataclasses.replace(NEW_CHANGE, previous=(OLD_CHANGE,)),
    "longer": OLD_CHANGE.then(as_step(right, id="after")),
}
WAITING = Workflow("waiting", int).then(ask)
WORKFLOWS = (ORDER, PLAIN, LONG, SHORT, WAITING)


async def main(url, name, build):
    engine = DurableEngine(url, name=name, lease=2)
    await engine.open((*WORKFLOWS, BUILDS[build]))
    print("ready", flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
