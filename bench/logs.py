"""Measure what logging costs: processor time per request, beside a server that logs nothing.

python bench/logs.py           about a minute; more the first time
python bench/logs.py --quick   one round of a few requests

The application logs one line in a run of its agent, and one in each of the two steps of its
workflow. Each way to log has a server of its own.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from environment import clean_environ, create_environment
from server import Server, start_server
from server_shares import Comparison

PATHS: dict[str, tuple[str, Any]] = {
    "GET /api/agents": ("/api/agents", None),
    "POST generate": ("/api/agents/echo/generate", {"messages": "hi"}),
    "POST start-async": ("/api/workflows/two/start-async", {"inputData": 5}),
}
KINDS = ("silent", "stream", "file")

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


def start_servers(scratch: Path, stack: ExitStack, wheels: dict[str, Path]) -> dict[str, Server]:
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


COMPARISON = Comparison(
    description="Measure the cost of logging.",
    start_servers=start_servers,
    requests=PATHS,
    aims={"stream": 0.9, "file": 0.9},
    heading="lines to",
    base="nowhere",
    pause=0.12,  # the thread writes the last lines
    rounds=9,
    count=800,
)


if __name__ == "__main__":
    sys.exit(COMPARISON.run(sys.argv[1:]))
