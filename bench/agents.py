"""Compare the built-in agent with bare pydantic-ai, on pydantic-ai's own TestModel.

python bench/agents.py            400 rounds; needs mastra-core[agents]
python bench/agents.py --quick    20 rounds

Both agents have the same instructions and one tool, which the model calls. A round runs both; which
of them is first alternates. The figure is processor time, and the ratio is that of a round.
"""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pydantic_ai
from options import create_parser, write_json
from pydantic_ai.models.test import TestModel

from mastra_core import Agent

AIM = 1.05  # of bare pydantic-ai's time, at most
ROUNDS, QUICK_ROUNDS, WARMUP = 400, 20, 30
Run = Callable[[], Awaitable[Any]]


async def forecast(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def create_runs() -> dict[str, tuple[Run, Run]]:
    """Return what is compared by name: a run of bare pydantic-ai, and one of the product."""
    bare = pydantic_ai.Agent(TestModel(), name="a", instructions="Help.", tools=[forecast])
    agent = Agent(name="a", model=TestModel(), instructions="Help.", tools=[forecast])

    async def generate_with_history() -> bytes:
        return (await bare.run("hello")).all_messages_json()

    async def stream_bare() -> None:
        async with bare.run_stream_events("hello") as run:
            async for _ in run:
                pass

    async def stream() -> None:
        async for _ in agent.stream("hello"):
            pass

    return {
        "generate": (lambda: bare.run("hello"), lambda: agent.generate("hello")),
        "generate, both keep the history": (
            generate_with_history,
            lambda: agent.generate("hello"),
        ),
        "stream": (stream_bare, stream),
    }


async def measure(bare: Run, run: Run, rounds: int) -> tuple[float, float]:
    """Return the medians of a bare run in milliseconds and of the product's ratio to it."""
    for _ in range(WARMUP):
        await bare()
        await run()
    times, ratios = [], []
    gc.collect()
    gc.disable()  # a collection would count against the run that triggers it
    for number in range(rounds):
        first, second = (bare, run) if number % 2 else (run, bare)
        durations = {first: await _time(first), second: await _time(second)}
        times.append(durations[bare] * 1000)
        ratios.append(durations[run] / durations[bare])
        gc.collect(0)
    gc.enable()
    return statistics.median(times), statistics.median(ratios)


async def _time(run: Run) -> float:
    start = time.process_time()
    await run()
    return time.process_time() - start


async def measure_all(rounds: int) -> dict[str, dict[str, float]]:
    """Measure every comparison, print a line for each, and return the figures by name."""
    figures = {}
    for name, (bare, run) in create_runs().items():
        milliseconds, ratio = await measure(bare, run, rounds)
        verdict = "met" if ratio <= AIM else "missed"
        print(f"{name:32} {milliseconds:6.2f} ms bare, ratio {ratio:.3f}, aim {verdict}")
        figures[name] = {"bare": milliseconds, "ratio": ratio}
    return figures


def main(arguments: Sequence[str]) -> None:
    parser = create_parser(
        "Compare the built-in agent with bare pydantic-ai.", quick=f"{QUICK_ROUNDS} rounds"
    )
    options = parser.parse_args(arguments)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures = asyncio.run(measure_all(QUICK_ROUNDS if options.quick else ROUNDS))
    write_json(options.json, figures)


if __name__ == "__main__":
    main(sys.argv[1:])
