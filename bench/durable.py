"""Measure durable workflows of two steps, and compare them with DBOS.

python bench/durable.py                        every part, on a new SQLite file
python bench/durable.py --database URL         on another database, which is changed
python bench/durable.py --only pairs --quick   one part, with few runs

The parts are: `pairs` with DBOS, if `dbos` is installed; several `processes` on PostgreSQL; through
`http`; the time of a `recovery` from a killed process; `memory` after many runs; and the engine in
memory against another environment (`engine`, with `--baseline PYTHON`).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from options import create_parser, format_load, write_json
from workflows import double, increase, measure, measure_memory, run_batch

from mastra_core import DurableEngine, Mastra, Workflow, step

AT_ONCE = (1, 16)
SIDES = ("durable", "dbos")
PARTS = 10  # of the runs whose memory is measured; the caches are full after the first one
TWO = Workflow("two").then(double).then(increase)


@step
async def wait_and_report(n: int) -> int:
    print("executing", flush=True)
    await asyncio.sleep(3600)
    return n


WAITING = Workflow("waiting").then(wait_and_report)


def main(arguments: Sequence[str]) -> None:
    parts = {
        "pairs": compare_with_dbos,
        "processes": measure_processes,
        "http": measure_http,
        "recovery": measure_recovery,
        "memory": measure_growth,
        "engine": compare_engines,
    }
    parser = create_parser("Measure durable workflows of two steps.", quick="few runs")
    parser.add_argument("--only", action="append", choices=parts, help="measure this part only")
    parser.add_argument("--database", metavar="URL", default="", help="instead of a SQLite file")
    parser.add_argument("--pairs", type=int, default=7, help="number of alternated pairs")
    parser.add_argument("--runs", type=int, default=0, help="runs of each sample")
    parser.add_argument("--baseline", metavar="PYTHON", help="an environment with another version")
    parser.add_argument("--sample", nargs="+", help="measure one sample in this process")
    options = parser.parse_args(arguments)
    if options.sample:
        print(json.dumps(take_sample(*options.sample)), flush=True)
        return
    print(f"load averages: {format_load()}")
    figures = {part: parts[part](options) for part in options.only or parts}
    write_json(options.json, figures)


def compare_with_dbos(options: Any) -> dict[str, list[float]]:
    """Compare the rate with that of DBOS, in pairs that alternate which side is first."""
    if importlib.util.find_spec("dbos") is None:
        print("pairs: dbos is not installed")
        return {}
    runs, figures = options.runs or (100 if options.quick else 1000), {}
    for at_once in AT_ONCE:
        ratios, rates = [], []
        for number in range(2 if options.quick else options.pairs):
            pair = {}
            for side in SIDES[:: 1 if number % 2 else -1]:
                with open_database(options) as url:
                    pair[side] = start_sample(side, url, runs, at_once)["rate"]
            ratios.append(pair["durable"] / pair["dbos"])
            rates.append(pair["durable"])
        figures[f"ratio-{at_once}"], figures[f"rate-{at_once}"] = ratios, rates
        print(f"pairs: {at_once} at once: {format_median(rates)} a second, "
              f"{format_median(ratios)} times DBOS")  # fmt: skip
    return figures


def measure_processes(options: Any) -> dict[str, float]:
    """Measure how the rate grows with the number of processes."""
    if not options.database.startswith("postgresql"):
        print("processes: pass --database postgresql://...")
        return {}
    runs, figures = options.runs or (100 if options.quick else 1000), {}
    for count in (1, 2, 4):
        command = build_command("durable", options.database, runs, 16)
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
        samples = [json.loads(process.communicate()[0]) for process in processes]
        seconds = max(each["end"] for each in samples) - min(each["begin"] for each in samples)
        figures[str(count)] = count * runs / seconds
        print(f"processes: {count}: {figures[str(count)]:,.0f} a second")
    return figures


def measure_http(options: Any) -> dict[str, float]:
    """Measure the rate through the HTTP API of one server."""
    import httpx

    runs = options.runs or (100 if options.quick else 1000)

    async def run_all(base_url: str) -> float:
        limits = httpx.Limits(max_connections=16)
        async with httpx.AsyncClient(base_url=base_url, limits=limits, timeout=60) as http:
            await run_one(http)
            start = time.perf_counter()
            await run_at_once(lambda: run_one(http), runs, 16)
            return runs / (time.perf_counter() - start)

    async def run_one(http: httpx.AsyncClient) -> None:
        answer = await http.post("/api/workflows/two/start-async", json={"inputData": 1})
        assert answer.json()["status"] == "success"

    with open_database(options) as url, start_reporter("server", url) as (_, lines):
        rate = asyncio.run(run_all(next(lines)))
    print(f"http: 16 at once through HTTP: {rate:,.0f} a second")
    return {"rate": rate}


def measure_recovery(options: Any) -> dict[str, list[float]]:
    """Measure the seconds from the death of a process until another one executes its run."""
    seconds = []
    for _ in range(2 if options.quick else options.pairs):
        with open_database(options) as url, start_reporter("starter", url) as (first, lines):
            assert next(lines) == "executing"
            with start_reporter("worker", url) as (_, other_lines):
                assert next(other_lines) == "ready"
                first.kill()
                first.wait()  # until then, the process exists for the other one
                start = time.perf_counter()
                assert next(other_lines) == "executing"
                seconds.append(time.perf_counter() - start)
                asyncio.run(cancel_all(url))
    print(f"recovery: {format_median(seconds)} seconds")
    return {"seconds": seconds}


def measure_growth(options: Any) -> dict[str, float]:
    """Measure the memory that many runs leave in a process, and the size of their database."""
    runs = options.runs or (1000 if options.quick else 100_000)
    with open_database(options) as url:
        sample = start_sample("growth", url, runs, 16)
        path = Path(url.removeprefix("sqlite:///"))
        if path.exists():
            sample["bytes"] = path.stat().st_size / runs
    print(f"memory: {sample['first']:.1f} MB after the first {runs // PARTS:,} runs, "
          f"{sample['growth']:+.1f} MB after {runs:,} runs")  # fmt: skip
    if "bytes" in sample:
        print(f"memory: {sample['bytes']:,.0f} bytes of the database for each run")
    return sample


def compare_engines(options: Any) -> dict[str, list[float]]:
    """Compare the processor time of the engine in memory with another environment."""
    if not options.baseline:
        print("engine: pass --baseline PYTHON")
        return {}
    runs, ratios = options.runs or (500 if options.quick else 10_000), []
    for number in range(2 if options.quick else options.pairs):
        pair = {}
        for python in (options.baseline, sys.executable)[:: 1 if number % 2 else -1]:
            pair[python] = start_sample("memory", "", runs, 1, python)["processor"]
        ratios.append(pair[options.baseline] / pair[sys.executable])
    print(f"engine: {format_median(ratios)} times as fast as before")
    return {"ratio": ratios}


@contextlib.contextmanager
def open_database(options: Any) -> Iterator[str]:
    """Yield the URL of the database; by default a new file."""
    if options.database:
        yield options.database
        return
    with tempfile.TemporaryDirectory() as directory:
        yield f"sqlite:///{directory}/runs.db"


def build_command(*sample: Any, python: str = sys.executable) -> list[str]:
    return [python, str(Path(__file__).resolve()), "--sample", *map(str, sample)]


def start_sample(
    kind: str, url: str, runs: int, at_once: int, python: str = sys.executable
) -> dict[str, float]:
    """Measure one sample in a process of its own."""
    command = build_command(kind, url, runs, at_once, python=python)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    sample: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return sample


@contextlib.contextmanager
def start_reporter(kind: str, url: str) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
    """Start a process, and yield it with the lines that it prints; kill it at the end."""
    command = build_command(kind, url)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, (line.rstrip("\n") for line in process.stdout)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def take_sample(kind: str, url: str, runs: str = "0", at_once: str = "1") -> Any:
    """Do in this process what a sample or a reporter needs."""
    if kind == "memory":
        return asyncio.run(measure(int(runs), 2))
    if kind == "dbos":
        return asyncio.run(sample_dbos(url, int(runs), int(at_once)))
    if kind == "durable":
        return asyncio.run(sample_durable(url, int(runs), int(at_once)))
    if kind == "growth":
        return asyncio.run(sample_growth(url, int(runs), int(at_once)))
    if kind == "server":
        return serve(url)
    return asyncio.run(execute(url, starts=kind == "starter"))


async def sample_durable(url: str, runs: int, at_once: int) -> dict[str, float]:
    engine = DurableEngine(url)
    await engine.open([TWO])
    await run_at_once(lambda: run_batch(engine, TWO, 1), 50, at_once)
    figures = await measure_rate(lambda: run_batch(engine, TWO, 1), runs, at_once)
    await engine.close()
    return figures


async def sample_growth(url: str, runs: int, at_once: int) -> dict[str, float]:
    """Return the memory after the first part of the runs, and what the other parts add."""
    engine = DurableEngine(url)
    await engine.open([TWO])
    memory = []
    for _ in range(PARTS):
        await run_at_once(lambda: run_batch(engine, TWO, 1), runs // PARTS, at_once)
        memory.append(measure_memory() / 1e6)
    await engine.close()
    return {"first": memory[0], "growth": memory[-1] - memory[0]}


async def sample_dbos(url: str, runs: int, at_once: int) -> dict[str, float]:
    from dbos import DBOS

    if url.startswith("sqlite"):
        use_write_ahead_log()
    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})

    @DBOS.step()
    async def double_durably(n: int) -> int:
        return 2 * n

    @DBOS.step()
    async def increase_durably(n: int) -> int:
        return n + 1

    @DBOS.workflow()
    async def two(n: int) -> int:
        return await increase_durably(await double_durably(n))

    DBOS.launch()
    await run_at_once(lambda: two(1), 50, at_once)
    figures = await measure_rate(lambda: two(1), runs, at_once)
    await asyncio.to_thread(DBOS.destroy)
    return figures


def use_write_ahead_log() -> None:
    """Let DBOS write to SQLite files as `DurableEngine` does.

    By default, DBOS waits until the disk has stored each transaction, which takes most of its time.
    """
    from sqlalchemy import Engine, event

    @event.listens_for(Engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")


async def measure_rate(
    run: Callable[[], Awaitable[Any]], runs: int, at_once: int
) -> dict[str, float]:
    """Return runs a second, the processor milliseconds of a run, and the times of begin and end."""
    begin, clock, processor = time.time(), time.perf_counter(), time.process_time()
    await run_at_once(run, runs, at_once)
    return {
        "rate": runs / (time.perf_counter() - clock),
        "processor": 1e3 * (time.process_time() - processor) / runs,
        "begin": begin,
        "end": time.time(),
    }


async def run_at_once(run: Callable[[], Awaitable[Any]], runs: int, at_once: int) -> None:
    """Call ``run`` a number of times, ``at_once`` calls at a time."""
    numbers = iter(range(runs))

    async def work() -> None:
        for _ in numbers:
            await run()

    await asyncio.gather(*(work() for _ in range(at_once)))


def serve(url: str) -> None:
    """Serve the workflow, and print the address."""
    import socket

    import uvicorn

    from mastra_server import create_app

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    app = create_app(Mastra(workflows={"two": TWO}, engine=DurableEngine(url)))
    config = uvicorn.Config(app, log_level="critical", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


async def execute(url: str, *, starts: bool) -> None:
    """Execute waiting runs until this process is killed."""
    engine = DurableEngine(url)
    await engine.open([WAITING])
    if starts:
        run = await engine.create(WAITING)
        await engine.start(run, 1)
    else:
        print("ready", flush=True)
    await asyncio.Event().wait()


async def cancel_all(url: str) -> None:
    engine = DurableEngine(url, max_concurrency=0)
    for record in await engine.list(WAITING):
        run = await engine.get(WAITING, record.run_id)
        await engine.cancel(run)
    await engine.close()


def format_median(values: Sequence[float]) -> str:
    """Return the median with the smallest and the largest value."""
    texts = [f"{value:,.2f}" for value in (statistics.median(values), min(values), max(values))]
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


if __name__ == "__main__":
    os.environ.setdefault("DBOS__LOG_LEVEL", "ERROR")
    main(sys.argv[1:])
