"""Requests a second under load: this project, bare Litestar, and the TypeScript original.

python bench/load.py              about nine minutes; more the first time
python bench/load.py --quick      one round, without the minute of load
python bench/load.py --only ours  one side: ours, bare or peer; may be repeated

Needs wrk (`apt-get install wrk`). The client runs on the same cores as the server.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import peer
from app import App
from environment import create, variables, wheels
from places import BENCH
from process import Failed
from process import run as run_program
from server import Server, serving

SIDES = ("ours", "bare", "peer")
AGENTS, GENERATE = "/api/agents", "/api/agents/echo/generate"
START = "/api/workflows/two/start-async"
PATHS = (AGENTS, START, GENERATE)
BODIES = {START: {"inputData": {"n": 5}}, GENERATE: {"messages": "hi"}}
CLIENTS = (1, 32)
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
Told = tuple[float, float, float, int]


@dataclasses.dataclass(frozen=True)
class Sample:
    """What wrk said of one endpoint, and what the server held afterwards."""

    rate: float
    p50: float
    p99: float
    failed: int
    memory: float


Key = tuple[str, int, str, str]  # path, clients, fresh or loaded, side
Samples = dict[Key, list[Sample]]


@dataclasses.dataclass
class Bench:
    """The servers, all running: they are asked in turns, so that what else the machine does meets
    all of them alike.
    """

    scratch: Path
    seconds: int
    servers: dict[str, Server] = dataclasses.field(default_factory=dict)
    samples: Samples = dataclasses.field(default_factory=dict)

    def rounds(self, when: str, times: int) -> None:
        for number in range(times):
            _say(f"{when}, round {number + 1}")
            for path in PATHS:
                for clients in CLIENTS:
                    for side in self.servers:
                        self._sample(side, path, clients, when)

    def strain(self, seconds: int) -> None:
        """A minute of load for each."""
        for side in self.servers:
            _say(f"{seconds} s of load: {side}")
            self._wrk(side, AGENTS if side == "bare" else START, max(CLIENTS), seconds)

    def _sample(self, side: str, path: str, clients: int, when: str) -> None:
        if side == "bare" and path != AGENTS:
            return
        told = self._wrk(side, path, clients, self.seconds)
        made = Sample(*told, self.servers[side].memory())
        self.samples.setdefault((path, clients, when, side), []).append(made)

    def _wrk(self, side: str, path: str, clients: int, seconds: int) -> Told:
        script = self.scratch / "request.lua"
        script.write_text(_lua(BODIES.get(path)))
        url = f"http://127.0.0.1:{self.servers[side].port}{path}"
        options = ["-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
        command = ["wrk", *options, "-s", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"wrk: {done.stderr.strip()[-300:]}")
        return _read(done.stdout)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Requests a second, beside others.")
    parser.add_argument("--quick", action="store_true", help="one round, of fresh servers only")
    parser.add_argument("--only", action="append", choices=SIDES, help="one side")
    wish = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    if shutil.which("wrk") is None:
        print("wrk is missing: apt-get install wrk")
        return 1
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="mastra-bench-") as scratch, ExitStack() as stack:
        bench = Bench(Path(scratch), 2 if wish.quick else 3)
        _start(bench, stack, wish.only or SIDES)
        bench.rounds("fresh", 1 if wish.quick else 3)
        if not wish.quick:
            bench.strain(60)
            bench.rounds("loaded", 3)
    print(f"load average {before:.1f} at the start, {os.getloadavg()[0]:.1f} at the end\n")
    print("\n".join(table(bench.samples)))
    return 0


def _start(bench: Bench, stack: ExitStack, sides: Sequence[str]) -> None:
    _say("wheels and environments")
    made = wheels(bench.scratch / "wheels")
    own = [str(made["mastra_core"]), f"{made['mastra_server']}[serve]"]
    tool = create(bench.scratch / "tool", [*own, str(made["mastra_deployer"])])
    app = App("load", BENCH / "apps" / "load", tool, "echo", bench.scratch)
    bare = create(bench.scratch / "bare")

    def started(command: Sequence[str | Path], env: dict[str, str], path: str) -> Server:
        server = stack.enter_context(serving(command, cwd=bench.scratch, env=env))
        server.first(path)
        return server

    ours = started([bare.python, app.built() / "index.py"], variables(), "/health")
    if "ours" in sides:
        bench.servers["ours"] = ours
    if "bare" in sides:
        payload = bench.scratch / "payload.json"
        with urllib.request.urlopen(f"http://127.0.0.1:{ours.port}{AGENTS}") as answer:
            payload.write_bytes(answer.read())
        command = [tool.python, BENCH / "bare.py", payload]
        bench.servers["bare"] = started(command, variables(), AGENTS)
    if "peer" in sides and (found := _peer()):
        bench.servers["peer"] = started(*found, "/health")


def _peer() -> tuple[Sequence[Path], dict[str, str]] | None:
    """How the original is started, once it is installed and built."""
    _say("the original")
    try:
        made = peer.prepare()
        output = made.project / ".mastra" / "output" / "index.mjs"
        if not output.exists():
            run_program([made.node, made.tool, "build"], cwd=made.project, env=made.env)
    except (Failed, OSError) as error:
        print(f"not measured: peer: {error}")
        return None
    return [made.node, output], {**made.env, "NODE_ENV": "production"}


def _lua(body: Any) -> str:
    if body is None:
        return ""
    text = json.dumps(body)
    head = 'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'
    return f"{head}wrk.body = [[{text}]]\n"


def _read(text: str) -> Told:
    """Requests a second, median and 99th percentile in ms, and how many failed."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    latency = {
        percent: float(value) * UNITS[unit]
        for percent, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s|m)\b", text)
    }
    if rate is None:
        raise Failed(f"wrk said {text[-300:]!r}")
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    failed = int(wrong[1]) if wrong else 0
    failed += sum(map(int, errors.groups())) if errors else 0
    return float(rate[1]), latency["50"], latency["99"], failed


def table(samples: Samples) -> list[str]:
    """Markdown, a line for each row: medians, and the lowest and the highest rate."""
    lines = ["| request | clients | | side | req/s | ours/it | p50 ms | p99 ms | failed | MB |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    names = {AGENTS: "GET /api/agents", START: "POST start-async", GENERATE: "POST generate"}
    for key, found in samples.items():
        path, clients, when, side = key
        rates = sorted(each.rate for each in found)
        ours = samples.get((path, clients, when, "ours"), found)
        ratio = median(mine.rate / other.rate for mine, other in zip(ours, found, strict=True))
        told = [names[path], clients, when, side]
        told.append(f"{median(rates):.0f} ({rates[0]:.0f} to {rates[-1]:.0f})")
        told.append("" if side == "ours" else f"{ratio:.2f}")
        told += [f"{median(each.p50 for each in found):.2f}"]
        told += [f"{median(each.p99 for each in found):.1f}"]
        told += [sum(each.failed for each in found), f"{found[-1].memory:.0f}"]
        lines.append("| " + " | ".join(map(str, told)) + " |")
    return lines


def _say(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
