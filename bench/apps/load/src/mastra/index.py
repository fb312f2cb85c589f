"""The application of bench/peer in Python."""

from dataclasses import dataclass

from mastra_core import Mastra, Workflow, create_logger, step, tool


@dataclass
class Number:
    """A number."""

    n: float


@dataclass
class Text:
    """A text."""

    text: str


@tool
def add(a: float, b: float) -> float:
    """Adds two numbers."""
    return a + b


async def echo(text: str) -> str:
    """You echo."""
    return f"echo: {text}"


@step
async def double(value: Number) -> Number:
    """Double the number."""
    return Number(value.n * 2)


@step
async def say(value: Number) -> Text:
    """Put the number in a sentence."""
    return Text(f"It is {value.n}.")


mastra = Mastra(
    agents={"echo": echo},
    workflows={"two": Workflow("two").then(double).then(say)},
    tools={"add": add},
    logger=create_logger(name="bench", level="warn"),
)
