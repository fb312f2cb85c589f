"""Steps and helpers that the tests of workflows share."""

import asyncio
import dataclasses
from typing import TypedDict

import pydantic

from mastra_core import StepContext, step


class Decision(TypedDict):
    go: bool


@dataclasses.dataclass
class Point:
    x: int


class Person(pydantic.BaseModel):
    name: str


@step
async def add_one(n: int) -> int:
    """Adds one."""
    return n + 1


@step
def double(n: int) -> int:
    return 2 * n


@step
def format_groups(groups: dict[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in groups.items())


@step(resume=Decision, suspend=dict)
def ask(n: int, context: StepContext) -> str:
    if context.resume_data is None:
        context.suspend({"n": n})
    return "yes" if context.resume_data["go"] else "no"


@step(id="ask-too", resume=int)
async def ask_too(n: int, context: StepContext) -> int:
    if context.resume_data is None:
        context.suspend()
    return context.resume_data


@step
async def fail(n: int) -> int:
    raise LookupError(f"no row {n}")


@step
async def wait_forever(n: int) -> int:
    await asyncio.Event().wait()
    return n


async def start_and_wait(engine, workflow, value=None, **options):
    run = await engine.create(workflow)
    await engine.start(run, value, **options)
    await run.wait()
    return run


def run_workflow(engine, workflow, value=None, **options):
    return asyncio.run(start_and_wait(engine, workflow, value, **options)).record


async def wait_until(predicate):
    """Wait until ``predicate`` returns true."""
    async with asyncio.timeout(20):
        while not predicate():  # noqa: ASYNC110  # nothing reports what tests wait for
            await asyncio.sleep(0.001)
