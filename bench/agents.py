"""What the built-in agent costs over bare pydantic-ai, with pydantic-ai's own TestModel.

python bench/agents.py [ROUNDS]     400 where left out; needs mastra-core[agents]

Both have the same instructions and one tool, which the model calls. They run in turns, one run of
each and the order changed every time; what is compared is the processor's time of a pair.
"""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pydantic_ai
from pydantic_ai.models.test import TestModel

from mastra_core import Agent

AIM = 1.05  # of bare pydantic-ai's time, at most
Run = Callable[[], Awaitable[Any]]


async def forecast(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def pairs() -> dict[str, tuple[Run, Run]]:
    """What is measured: bare pydantic-ai, and ours."""
    bare = pydantic_ai.Agent(TestModel(), name="a", instructions="Help.", tools=[forecast])
    ours = Agent(name="a", model=TestModel(), instructions="Help.", tools=[forecast])

    async def kept() -> bytes:
        return (await bare.run("hello")).all_messages_json()

    async def events() -> None:
        async with bare.run_stream_events("hello") as run:
            async for _ in run:
                pass

    async def stream() -> None:
        async for _ in ours.stream("hello"):
            pass

    return {
        "generate": (lambda: bare.run("hello"), lambda: ours.generate("hello")),
        "generate, both keep the history": (kept, lambda: ours.generate("hello")),
        "stream": (events, stream),
    }


async def measure(bare: Run, ours: Run, rounds: int) -> tuple[float, float]:
    """Milliseconds of a bare run, and how many times that ours takes: medians."""
    for _ in range(30):
        await bare()
        await ours()
    times, ratios = [], []
    gc.collect()
    gc.disable()  # a collection would be counted to whoever runs at the moment
    for number in range(rounds):
        first, second = (bare, ours) if number % 2 else (ours, bare)
        taken = {first: await _timed(first), second: await _timed(second)}
        times.append(taken[bare] * 1000)
        ratios.append(taken[ours] / taken[bare])
        gc.collect(0)
    gc.enable()
    return statistics.median(times), statistics.median(ratios)


async def _timed(run: Run) -> float:
    began = time.process_time()
    await run()
    return time.process_time() - began


async def main(rounds: int) -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name, (bare, ours) in pairs().items():
        took, ratio = await measure(bare, ours, rounds)
        verdict = "met" if ratio <= AIM else "missed"
        print(f"{name:32} {took:6.2f} ms bare, {ratio:.3f} times that with ours, aim {verdict}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 400))
