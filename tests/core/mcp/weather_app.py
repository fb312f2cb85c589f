"""An application, and the same as an MCP server over standard input and output."""

import asyncio

from mastra_core import Agent, Mastra, Workflow, step, tool
from mastra_core.mcp import serve_stdio


async def parrot(text: str) -> str:
    """Says what it is told."""
    if text == "break":
        raise RuntimeError("it broke")
    return f"you said {text}"


async def measured(text: str) -> dict:
    """Counts letters."""
    return {"letters": len(text)}


@tool
def double(number: int) -> int:
    """Twice as much."""
    return 2 * number


@tool
def broken() -> str:
    """Always fails."""
    raise OSError("cannot reach postgresql://ann:hunter2@db/shop")


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    return "paid"


@step
async def shout(text: str) -> str:
    return text.upper()


@step
async def fail(text: str) -> str:
    raise ValueError(f"no {text}")


def application(**settings):
    from pydantic_ai.models.test import TestModel

    payer = Agent(name="payer", model=TestModel(), tools=[pay])
    return Mastra(
        agents={"parrot": parrot, "measured": measured, "payer": payer},
        workflows={"loud": Workflow("loud").then(shout), "failing": Workflow("failing").then(fail)},
        tools={"double": double, "broken": broken, "pay": pay},
        logger=False,
        **settings,
    )


if __name__ == "__main__":
    asyncio.run(serve_stdio(application()))
