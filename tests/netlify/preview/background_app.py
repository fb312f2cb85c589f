"""An application whose runs take longer than a request. The tests bundle it for Netlify."""

import asyncio
import os
from pathlib import Path

from mastra_core import DurableEngine, Mastra, Workflow, as_step, step


@step
async def count(number: int) -> int:
    """Take a moment, and append a line to a file when the step ends."""
    await asyncio.sleep(1)
    record_step(number)
    return number + 1


def record_step(number: int) -> None:
    """Append the number and the process to a file."""
    with Path(os.environ["TMPDIR"], "steps").open("a") as file:
        file.write(f"{number} {os.getpid()}\n")


@step
async def idle(number: int) -> int:
    """Take longer than any invocation of the tests."""
    await asyncio.sleep(60)
    return number


counter = Workflow("count")
for position in range(8):
    counter = counter.then(as_step(count, id=f"count-{position}"))

mastra = Mastra(
    workflows={"count": counter, "idle": Workflow("idle").then(idle)},
    engine=DurableEngine(os.environ.get("DATABASE", "sqlite:///runs.db"), lease=1, max_takeovers=2),
)
