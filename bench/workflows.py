"""Two-step workflows in one process: how long one takes, and what many leave behind.

python bench/workflows.py [FILE]     prints the figures, or writes them to FILE as JSON
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from pathlib import Path

from mastra_core import MemoryEngine, Workflow, step

BATCH = 10_000
BATCHES = 10


@step
async def double(n: int) -> int:
    return 2 * n


@step
async def increase(n: int) -> int:
    return n + 1


async def several(engine: MemoryEngine, workflow: Workflow, count: int) -> tuple[float, float]:
    """Seconds that ``count`` runs take, one after the other: by the clock, and of processor."""
    begun, used = time.perf_counter(), time.process_time()
    for number in range(count):
        run = await engine.create(workflow)
        await engine.start(run, number)
        record = await run.settled()
        assert record.result == 2 * number + 1
    return time.perf_counter() - begun, time.process_time() - used


async def measure() -> dict[str, float]:
    """Microseconds a run of the best batch took, and megabytes that all batches left behind."""
    engine, workflow = MemoryEngine(), Workflow("two").then(double).then(increase)
    await several(engine, workflow, BATCH)  # the engine is full of finished runs from here on
    before = resident()
    taken = [await several(engine, workflow, BATCH) for _ in range(BATCHES)]
    return {
        "clock": 1e6 * min(clock for clock, _ in taken) / BATCH,
        "processor": 1e6 * min(used for _, used in taken) / BATCH,
        "growth": (resident() - before) / 1e6,
    }


def resident() -> int:
    """Bytes of memory the process has."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    figures = asyncio.run(measure())
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(json.dumps(figures), encoding="ascii")
    else:
        print(f"{1e6 / figures['clock']:,.0f} two-step workflows a second")
        print(f"{figures['processor']:.0f} microseconds of processor each")
        print(f"{figures['growth']:+.1f} MB after {BATCH * BATCHES:,} more runs")


if __name__ == "__main__":
    main()
