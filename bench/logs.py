"""Measure what logging costs: processor time per request, beside a server that logs nothing.

python bench/logs.py           about a minute; more the first time
python bench/logs.py --quick   one round of a few requests

The application logs one line in a run of its agent, and one in each of the two steps of its
workflow. Each way to log has a server of its own. Rounds take the servers in turn. The share is the
time without lines divided by the time with them, so 1 is free.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from environment import clean_environ, create_environment, prepare_wheels
from options import add_wheels_option, create_parser, log_progress, write_json
from server import Server, start_server

PATHS: dict[str, tuple[str, Any]] = {
    "GET /api/agents": ("/api/agents", None),
    "POST generate": ("/api/agents/echo/generate", {"messages": "hi"}),
    "POST start-async": ("/api/workflows/two/start-async", {"inputData": 5}),
}
KINDS = ("silent", "stream", "file")
AIM = 0.9

SERVER = """
import logging, os, sys
import uvicorn
from mastra_core import Mastra, Workflow, create_logger, step
from mastra_core.logs import FileTransport
from mastra_server import create_app

own = logging.getLogger("orders")
kind = sys.argv[1]
file = {"file": FileTransport("app.log", max_bytes=50_000_000)} if kind == "file" else {}
logger = create_logger(
    level="silent" if kind == "silent" else "info",
    format="json",
    stream=False if file else open("stream.log", "w"),
    transports=file,
)
if kind == "silent":
    own.setLevel("ERROR")

async def echo(text: str) -> str:
    own.info("answered", extra={"characters": len(text)})
    return text

@step
async def add(n: int) -> int:
    own.info("added", extra={"n": n})
    return n + 1

@step
async def double(n: int) -> int:
    own.info("doubled", extra={"n": n})
    return 2 * n

two = Workflow("two", input=int).then(add).then(double)
app = create_app(Mastra(agents={"echo": echo}, workflows={"two": two}, logger=logger))
uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning", access_log=False)
"""

Samples = dict[tuple[str, str], list[float]]  # microseconds per request by endpoint and kind


def main(arguments: Sequence[str]) -> int:
    parser = create_parser("Measure the cost of logging.", quick="one round of a few requests")
    add_wheels_option(parser)
    options = parser.parse_args(arguments)
    rounds, requests = (1, 50) if options.quick else (9, 800)
    with tempfile.TemporaryDirectory(prefix="mastra-bench-") as scratch, ExitStack() as stack:
        servers = _start_servers(Path(scratch), stack, options.wheels)
        samples: Samples = {}
        for number in range(-1, rounds):  # the first round warms the servers
            log_progress(f"round {number + 1}")
            for title, (path, body) in PATHS.items():
                for kind, server in servers.items():
                    cost = _measure_request(server, path, body, requests)
                    if number >= 0:
                        samples.setdefault((title, kind), []).append(cost)
    print("\n".join(format_table(samples)))
    write_json(options.json, {" ".join(key): costs for key, costs in samples.items()})
    return 0


def format_table(samples: Samples) -> list[str]:
    """Return the lines of a Markdown table of the shares.

    :param samples: the microseconds per request of each round.
    """
    base = [f"{median(samples[title, 'silent']):.0f} us" for title in PATHS]
    lines = [" | ".join(["| lines to", *PATHS, "aim |"]), "|---" * (len(PATHS) + 2) + "|"]
    lines.append(" | ".join(["| nowhere", *base, "|"]))
    for kind in KINDS[1:]:
        shares = [f"{_compute_share(samples, title, kind):.2f}" for title in PATHS]
        lines.append(" | ".join([f"| {kind}", *shares, f"{AIM} |"]))
    return lines


def _compute_share(samples: Samples, title: str, kind: str) -> float:
    pairs = zip(samples[title, "silent"], samples[title, kind], strict=True)
    return median(without / with_ for without, with_ in pairs)


def _start_servers(scratch: Path, stack: ExitStack, built: Path | None) -> dict[str, Server]:
    log_progress("environment")
    wheels = prepare_wheels(scratch / "wheels", built)
    packages = [str(wheels["mastra_core"]), f"{wheels['mastra_server']}[serve]"]
    python = create_environment(scratch / "environment", packages).python
    servers = {}
    for kind in KINDS:
        directory = scratch / kind
        directory.mkdir()
        command = [python, "-c", SERVER, kind]
        servers[kind] = stack.enter_context(
            start_server(command, cwd=directory, env=clean_environ())
        )
        servers[kind].wait_for("/health")
    return servers


def _measure_request(server: Server, path: str, body: Any, count: int) -> float:
    """Return the processor time of one request in microseconds, including the log's thread."""
    before = server.measure_cpu()
    server.send(path, body, count)
    time.sleep(0.12)  # the thread writes the last lines
    return (server.measure_cpu() - before) / count * 1e6


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
