"""The application of bench/peer in Python. BENCH_MODEL=test needs no model server."""

import os
from typing import TypedDict

from mastra_core import Agent, Mastra, Workflow, create_logger, step, tool


class Number(TypedDict):
    """Input of both steps."""

    n: int


class Text(TypedDict):
    """Result of the workflow."""

    text: str


@tool
def add(a: float, b: float) -> float:
    """Adds two numbers."""
    return a + b


@step
def double(number: Number) -> Number:
    """Double the number."""
    return {"n": number["n"] * 2}


@step
def say(number: Number) -> Text:
    """Put the number in a sentence."""
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
