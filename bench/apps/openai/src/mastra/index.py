"""Everything the application has, by name. BENCH_MODEL=test answers without a model server."""

import os
from typing import TypedDict

from mastra_core import Mastra, Workflow, create_logger, step, tool
from mastra_core.agents import Agent


class Number(TypedDict):
    """What goes in, and through."""

    n: int


class Said(TypedDict):
    """What comes out."""

    text: str


@tool
def add(a: float, b: float) -> float:
    """Adds two numbers."""
    return a + b


@step
def double(number: Number) -> Number:
    """Twice as much."""
    return {"n": number["n"] * 2}


@step
def say(number: Number) -> Said:
    """In words."""
    return {"text": f"It is {number['n']}."}


echo = Agent(
    name="echo",
    instructions="You echo.",
    model=os.environ.get("BENCH_MODEL", "openai-chat:echo"),
    tools=[add],
)

mastra = Mastra(
    agents={"echo": echo},
    workflows={"two": Workflow("two").then(double).then(say)},
    tools={"add": add},
    logger=create_logger(name="bench", level="warn"),
)
