"""Requests a second under load: this project, bare Litestar, and the TypeScript original.

python bench/load.py              about eight minutes; more the first time
python bench/load.py --quick      shorter, without the minute of load between
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
from pathlib import Path
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
BODIES = {START: {"inputData": {"n": 5}}, GENERATE: {"messages": "hi"}}
CLIENTS = (1, 32)
SECONDS = 5
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclasses.dataclass(frozen=True)
class Row:
    """What wrk said of one endpoint, and what the server held afterwards."""

    side: str
    path: str
    clients: int
    when: str
    rate: float
    p50: float
    p99: float
    failed: int
    memory: float


@dataclasses.dataclass
class Bench:
    """Where things are, and what was measured."""

    scratch: Path
    seconds: int
    minute: int
    rows: list[Row] = dataclasses.field(default_factory=list)

    def measure(self, side: str, server: Server, paths: Sequence[str]) -> None:
        """Fresh, then after a minute of load."""
        server.first("/health" if side != "bare" else AGENTS)
        self._all(side, server, paths, "fresh")
        if self.minute:
            self._wrk(server.port, paths[-1 if side == "bare" else 1], 32, self.minute)
            self._all(side, server, paths, "loaded")

    def _all(self, side: str, server: Server, paths: Sequence[str], when: str) -> None:
        for path in paths:
            for clients in CLIENTS:
                told = self._wrk(server.port, path, clients, self.seconds)
                self.rows.append(Row(side, path, clients, when, *told, server.memory()))
                _say(f"{side} {path} {clients} {when}: {told[0]:.0f}/s")

    def _wrk(
        self, port: int, path: str, clients: int, seconds: int
    ) -> tuple[float, float, float, int]:
        script = self.scratch / "request.lua"
        script.write_text(_lua(BODIES.get(path)))
        url = f"http://127.0.0.1:{port}{path}"
        options = ["-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
        command = ["wrk", *options, "-s", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"wrk: {done.stderr.strip()[-300:]}")
        return _read(done.stdout)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Requests a second, beside others.")
    parser.add_argument("--quick", action="store_true", help="shorter, and fresh servers only")
    parser.add_argument("--only", action="append", choices=SIDES, help="one side")
    parser.add_argument("--json", metavar="FILE", help="write every row there")
    wish = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    if shutil.which("wrk") is None:
        print("wrk is missing: apt-get install wrk")
        return 1
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="mastra-bench-") as scratch:
        bench = Bench(Path(scratch), 2 if wish.quick else SECONDS, 0 if wish.quick else 60)
        _sides(bench, wish.only or SIDES)
    print(f"load average {before:.1f} at the start, {os.getloadavg()[0]:.1f} at the end\n")
    print("\n".join(table(bench.rows)))
    if wish.json:
        Path(wish.json).write_text(json.dumps(list(map(dataclasses.asdict, bench.rows)), indent=2))
    return 0


def _sides(bench: Bench, sides: Sequence[str]) -> None:
    _say("wheels and environments")
    made = wheels(bench.scratch / "wheels")
    own = [str(made["mastra_core"]), f"{made['mastra_server']}[serve]"]
    tool = create(bench.scratch / "tool", [*own, str(made["mastra_deployer"])])
    app = App("load", BENCH / "apps" / "load", tool, "echo", bench.scratch)
    bare = create(bench.scratch / "bare")
    command: Sequence[Any] = [bare.python, app.built() / "index.py"]
    everything = (AGENTS, START, GENERATE)
    with serving(command, cwd=bench.scratch, env=variables()) as server:
        server.first("/health")
        payload = bench.scratch / "payload.json"
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{AGENTS}") as answer:
            payload.write_bytes(answer.read())
        if "ours" in sides:
            bench.measure("ours", server, everything)
    if "bare" in sides:
        command = [tool.python, BENCH / "bare.py", payload]
        with serving(command, cwd=bench.scratch, env=variables()) as server:
            bench.measure("bare", server, (AGENTS,))
    if "peer" in sides:
        _peer(bench, everything)


def _peer(bench: Bench, paths: Sequence[str]) -> None:
    _say("the original")
    try:
        made = peer.prepare()
        output = made.project / ".mastra" / "output" / "index.mjs"
        if not output.exists():
            run_program([made.node, made.tool, "build"], cwd=made.project, env=made.env)
    except (Failed, OSError) as error:
        print(f"not measured: peer: {error}")
        return
    env = {**made.env, "NODE_ENV": "production"}
    with serving([made.node, output], cwd=bench.scratch, env=env) as server:
        bench.measure("peer", server, paths)


def _lua(body: Any) -> str:
    if body is None:
        return ""
    text = json.dumps(body)
    head = 'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'
    return f"{head}wrk.body = [[{text}]]\n"


def _read(text: str) -> tuple[float, float, float, int]:
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


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown, one line for each row, with the ratio to ours where there is one."""
    lines = ["| request | clients | | side | req/s | ours is | p50 ms | p99 ms | failed | MB |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    ours = {(row.path, row.clients, row.when): row.rate for row in rows if row.side == "ours"}
    names = {AGENTS: "GET /api/agents", START: "POST start-async", GENERATE: "POST generate"}
    for row in sorted(rows, key=lambda each: (list(names).index(each.path), each.clients)):
        rate = ours.get((row.path, row.clients, row.when))
        ratio = f"{rate / row.rate:.2f}" if rate and row.rate and row.side != "ours" else ""
        told = (names[row.path], row.clients, row.when, row.side, f"{row.rate:.0f}", ratio)
        more = (f"{row.p50:.2f}", f"{row.p99:.1f}", row.failed, f"{row.memory:.0f}")
        lines.append("| " + " | ".join(map(str, (*told, *more))) + " |")
    return lines


def _say(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
