"""Steps that the tests of workflows share, and how they run them."""

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
async def plus_one(n: int) -> int:
    """Adds one."""
    return n + 1


@step
def double(n: int) -> int:
    return 2 * n


@step
def text_of(groups: dict[str, int]) -> str:
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
async def broken(n: int) -> int:
    raise LookupError(f"no row {n}")


@step
async def endless(n: int) -> int:
    await asyncio.Event().wait()
    return n


async def settled(engine, workflow, value=None, **more):
    run = await engine.create(workflow)
    await engine.start(run, value, **more)
    await run.settled()
    return run


def record_of(engine, workflow, value=None, **more):
    return asyncio.run(settled(engine, workflow, value, **more)).record


async def until(holds):
    """Let the loop go on until something holds."""
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never held")
