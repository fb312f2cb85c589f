"""Run two-step workflows in one process: how long one takes, and how much memory many leave.

python bench/workflows.py            11 batches of 10,000 runs
python bench/workflows.py --quick    3 batches of 500 runs
python bench/workflows.py --database URL    durable runs in a database, at 1, 16 and 50 at once
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from options import create_parser, write_json

from mastra_core import DurableEngine, MemoryEngine, Workflow, step
from mastra_core.workflows import Engine

BATCH, BATCHES = 10_000, 10  # after one batch that is not counted
QUICK_BATCH, QUICK_BATCHES = 500, 2


@step
async def double(n: int) -> int:
    return 2 * n


@step
async def increase(n: int) -> int:
    return n + 1


async def run_batch(engine: Engine, workflow: Workflow, count: int) -> tuple[float, float]:
    """Run a workflow ``count`` times in sequence; return wall-clock and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    for number in range(count):
        run = await engine.create(workflow)
        await engine.start(run, number)
        record = await run.wait()
        assert record.result == 2 * number + 1
    return time.perf_counter() - wall, time.process_time() - processor


async def measure(batch: int, batches: int) -> dict[str, float]:
    """Return the microseconds of a run in the best batch, and the MB that all batches leave."""
    engine, workflow = MemoryEngine(), Workflow("two").then(double).then(increase)
    await run_batch(engine, workflow, batch)  # fills the engine with finished runs
    before = measure_memory()
    durations = [await run_batch(engine, workflow, batch) for _ in range(batches)]
    return {
        "clock": 1e6 * min(clock for clock, _ in durations) / batch,
        "processor": 1e6 * min(processor for _, processor in durations) / batch,
        "growth": (measure_memory() - before) / 1e6,
    }


async def measure_durable(url: str, count: int) -> dict[str, float]:
    """Return runs a second and processor milliseconds of a durable run, by the runs at once."""
    engine, workflow = DurableEngine(url), Workflow("two").then(double).then(increase)
    await engine.open([workflow])
    figures: dict[str, float] = {}
    await run_batch(engine, workflow, 10)
    for concurrency in (1, 16, 50):
        wall, processor = time.perf_counter(), time.process_time()
        share = count // concurrency
        jobs = (run_batch(engine, workflow, share) for _ in range(concurrency))
        await asyncio.gather(*jobs)
        runs = share * concurrency
        figures[f"rate-{concurrency}"] = runs / (time.perf_counter() - wall)
        figures[f"processor-{concurrency}"] = 1e3 * (time.process_time() - processor) / runs
    await engine.close()
    return figures


def print_durable(figures: dict[str, float]) -> None:
    """Print a line for each number of runs at once."""
    for concurrency in (1, 16, 50):
        rate, processor = figures[f"rate-{concurrency}"], figures[f"processor-{concurrency}"]
        print(f"{concurrency} at once: {rate:,.0f} a second, {processor:.2f} ms of CPU each")


def measure_memory() -> int:
    """Return the resident memory of this process in bytes."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def main(arguments: Sequence[str]) -> None:
    parser = create_parser(
        "Run two-step workflows in one process.",
        quick=f"{QUICK_BATCHES + 1} batches of {QUICK_BATCH} runs",
    )
    parser.add_argument("--database", metavar="URL", help="measure durable runs in this database")
    options = parser.parse_args(arguments)
    if options.database:
        durable = asyncio.run(measure_durable(options.database, 200 if options.quick else 1000))
        print_durable(durable)
        write_json(options.json, durable)
        return
    batch, batches = (QUICK_BATCH, QUICK_BATCHES) if options.quick else (BATCH, BATCHES)
    figures = asyncio.run(measure(batch, batches))
    print(f"{1e6 / figures['clock']:,.0f} two-step workflows a second")
    print(f"{figures['processor']:.0f} microseconds of processor time each")
    print(f"{figures['growth']:+.1f} MB after {batch * batches:,} more runs")
    write_json(options.json, figures)


if __name__ == "__main__":
    main(sys.argv[1:])
