"""Workflows of every kind, for the tests of their wire format."""

import asyncio
from dataclasses import dataclass

from mastra_core import Mastra, StepContext, Workflow, step, tool
from mastra_core.agents.function import FunctionAgent
from mastra_core.workflows import as_step


@dataclass
class Tally:
    count: int = 0


@step
async def double(n: int) -> int:
    """Twice as much."""
    return 2 * n


@step
async def increase(n: int, context: StepContext) -> int:
    context.set_state(count=context.state.count + 1)
    await context.write({"at": n})
    return n + 1


@step(resume=int, suspend=dict)
async def ask(n: int, context: StepContext) -> int:
    if context.resume_data is None:
        context.suspend({"n": n}, label=f"label-{n}")
    return n + context.resume_data


@step
async def endless(n: int) -> int:
    await asyncio.sleep(3600)
    return n


@step
async def picky(n: int) -> int:
    if repaired:
        return n
    raise LookupError(f"no row {n}")


repaired = []


@tool
def count_letters(text: str) -> int:
    """Counts."""
    return len(text)


async def shout(text: str) -> str:
    return text.upper()


@step
async def bail(n: int, context: StepContext) -> int:
    context.bail(-n)


def agent():
    made = FunctionAgent(shout)
    made.id = made.name = "shout"
    return made


INNER = Workflow("inner").then(double).then(as_step(ask, id="confirm"))


def workflows():
    return {
        "line": Workflow("line", state=Tally).then(double).then(increase),
        "asking": Workflow("asking").parallel(ask, as_step(ask, id="ask2")).map(dict),
        "nested": Workflow("nested").then(as_step(double, id="first")).then(INNER),
        "each": Workflow("each").foreach(ask, concurrency=2),
        "sleepy": Workflow("sleepy").sleep(0.05).then(double),
        "sleeping": Workflow("sleeping").sleep(3600).then(double),
        "loops": Workflow("loops").dowhile(double, lambda n: n < 10),
        "endless": Workflow("endless").then(endless),
        "bailing": Workflow("bailing").then(bail).then(double),
        "picky": Workflow("picky").then(double).then(picky),
        "made": Workflow("made")
        .then(agent())
        .map(lambda answer: {"text": answer["text"]})
        .then(count_letters)
        .branch((lambda n: n > 2, double), (lambda n: n < 3, as_step(double, id="small"))),
    }


def create_sample(engine=None):
    return Mastra(workflows=workflows(), engine=engine, logger=False)
