"""Measure requests a second under load: this project, bare Litestar, and the TypeScript original.

python bench/load.py                about 14 minutes; more the first time
python bench/load.py --quick        one round of a second each, without the minute of load
python bench/load.py --only ours    one side: ours, bare or peer; may be repeated
python bench/load.py --part agents  agents that call a model; the other part is "routes"
python bench/load.py --part agents --telemetry
                                    the same also with telemetry, which exports to a collector

Needs wrk (`apt-get install wrk`). The client runs on the same cores as the server.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import peer
from agent_load import format_agents, format_telemetry, measure_agents
from app import App
from environment import clean_environ, create_environment, prepare_wheels
from options import add_wheels_option, create_parser, log_progress, write_json
from paths import BENCH
from server import Server, start_server
from wrk import Sample, run_wrk

SIDES = ("ours", "bare", "peer")
AGENTS, GENERATE = "/api/agents", "/api/agents/echo/generate"
START = "/api/workflows/two/start-async"
PATHS = (AGENTS, START, GENERATE)
BODIES = {START: {"inputData": {"n": 5}}, GENERATE: {"messages": "hi"}}
TITLES = {AGENTS: "GET /api/agents", START: "POST start-async", GENERATE: "POST generate"}
CLIENTS = (1, 32)


Key = tuple[str, int, str, str]  # path, clients, fresh or loaded, side
Samples = dict[Key, list[Sample]]


@dataclasses.dataclass
class LoadTest:
    """Running servers of every side; rounds interleave them, so that noise meets all alike."""

    scratch: Path
    seconds: int
    servers: dict[str, Server] = dataclasses.field(default_factory=dict)
    samples: Samples = dataclasses.field(default_factory=dict)

    def run_rounds(self, state: str, count: int) -> None:
        """Sample every path and number of clients ``count`` times."""
        for number in range(count):
            log_progress(f"{state}, round {number + 1}")
            for path in PATHS:
                for clients in CLIENTS:
                    for side in self.servers:
                        self._add_sample(side, path, clients, state)

    def apply_load(self, seconds: int) -> None:
        """Send requests to each server for that many seconds, without a sample."""
        for side in self.servers:
            log_progress(f"{seconds} s of load: {side}")
            self._run_wrk(side, AGENTS if side == "bare" else START, max(CLIENTS), seconds)

    def _add_sample(self, side: str, path: str, clients: int, state: str) -> None:
        if side == "bare" and path != AGENTS:
            return
        sample = self._run_wrk(side, path, clients, self.seconds)
        sample = dataclasses.replace(sample, memory=self.servers[side].measure_memory())
        self.samples.setdefault((path, clients, state, side), []).append(sample)

    def _run_wrk(self, side: str, path: str, clients: int, seconds: int) -> Sample:
        url = f"http://127.0.0.1:{self.servers[side].port}{path}"
        return run_wrk(url, clients, seconds, body=BODIES.get(path), scratch=self.scratch)


def main(arguments: Sequence[str]) -> int:
    parser = create_parser(
        "Measure requests a second.", quick="one round of a second each, of fresh servers only"
    )
    parser.add_argument("--only", action="append", choices=SIDES, help="one side")
    parser.add_argument("--part", choices=("agents", "routes"), help="one part")
    parser.add_argument("--telemetry", action="store_true", help="agents also with telemetry")
    parser.add_argument("--aiohttp", action="store_true", help="our agents with aiohttp")
    add_wheels_option(parser)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    if shutil.which("wrk") is None:
        print("wrk is missing: apt-get install wrk")
        return 1
    before, sides, figures = os.getloadavg()[0], options.only or SIDES, {}
    with tempfile.TemporaryDirectory(prefix="mastra-bench-") as directory:
        scratch = Path(directory)
        wheels = prepare_wheels(scratch / "wheels", options.wheels)
        if options.part != "routes":
            traced = options.telemetry
            agents = measure_agents(
                scratch,
                sides,
                wheels,
                quick=options.quick,
                telemetry=traced,
                aiohttp=options.aiohttp,
            )
            figures |= _dump_samples(agents)
            print("\n".join([*format_agents(agents), ""]))
            if traced:
                print("\n".join([*format_telemetry(agents), ""]))
        if options.part != "agents":
            routes = _measure_routes(scratch, sides, wheels, quick=options.quick)
            figures |= _dump_samples(routes)
            print("\n".join([*format_table(routes), ""]))
    print(f"load average {before:.1f} at the start, {os.getloadavg()[0]:.1f} at the end")
    write_json(options.json, figures)
    return 0


def _dump_samples(samples: Mapping[tuple[Any, ...], Sequence[Sample]]) -> dict[str, Any]:
    return {
        " ".join(map(str, key)): [dataclasses.asdict(sample) for sample in found]
        for key, found in samples.items()
    }


def _measure_routes(
    scratch: Path, sides: Sequence[str], wheels: dict[str, Path], *, quick: bool
) -> Samples:
    with ExitStack() as stack:
        test = LoadTest(scratch, 1 if quick else 3)
        _start_servers(test, stack, sides, wheels)
        test.run_rounds("fresh", 1 if quick else 3)
        if not quick:
            test.apply_load(60)
            test.run_rounds("loaded", 3)
        return test.samples


def _start_servers(
    test: LoadTest, stack: ExitStack, sides: Sequence[str], wheels: dict[str, Path]
) -> None:
    log_progress("environments")
    packages = [str(wheels["mastra_core"]), f"{wheels['mastra_server']}[serve]"]
    packages.append(str(wheels["mastra_deployer"]))
    tool = create_environment(test.scratch / "tool", packages)
    app = App("load", BENCH / "apps" / "load", tool, "echo", test.scratch)
    bare = create_environment(test.scratch / "bare")

    def start(command: Sequence[str | Path], env: dict[str, str], path: str) -> Server:
        server = stack.enter_context(start_server(command, cwd=test.scratch, env=env))
        server.wait_for(path)
        return server

    server = start([bare.python, app.ensure_output() / "index.py"], clean_environ(), "/health")
    if "ours" in sides:
        test.servers["ours"] = server
    if "bare" in sides:
        payload = test.scratch / "payload.json"
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{AGENTS}") as response:
            payload.write_bytes(response.read())
        command = [tool.python, BENCH / "bare_litestar.py", payload]
        test.servers["bare"] = start(command, clean_environ(), AGENTS)
    if "peer" in sides and (peer_command := peer.prepare_server()):
        test.servers["peer"] = start(*peer_command, "/health")


def format_table(samples: Samples) -> list[str]:
    """Return a Markdown table with a line for each key: medians, and the range of the rate."""
    lines = ["| request | clients | | side | req/s | ours/it | p50 ms | p99 ms | failed | MB |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for key, found in samples.items():
        path, clients, state, side = key
        rates = sorted(sample.rate for sample in found)
        ours = samples.get((path, clients, state, "ours"), found)
        ratio = median(own.rate / other.rate for own, other in zip(ours, found, strict=True))
        cells = [TITLES[path], clients, state, side]
        cells.append(f"{median(rates):.0f} ({rates[0]:.0f} to {rates[-1]:.0f})")
        cells.append("" if side == "ours" else f"{ratio:.2f}")
        cells.append(f"{median(sample.p50 for sample in found):.2f}")
        cells.append(f"{median(sample.p99 for sample in found):.1f}")
        cells += [sum(sample.failed for sample in found), f"{found[-1].memory:.0f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
