"""Measure what telemetry costs: processor time per request, beside a server without telemetry.

python bench/telemetry.py           about three minutes; more the first time
python bench/telemetry.py --quick   one round of a few requests

Each sampling runs in a server of its own, which exports to a collector on loopback.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from environment import clean_environ, create_environment
from paths import BENCH
from process import start_process
from server import Server, find_free_port, start_server
from server_shares import Comparison

PATHS: dict[str, tuple[str, Any]] = {
    "GET /api/agents": ("/api/agents", None),
    "POST generate": ("/api/agents/echo/generate", {"messages": "hi"}),
    "POST start-async": ("/api/workflows/two/start-async", {"inputData": {"n": 5}}),
}
SAMPLINGS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "always_off": {"type": "always_off"},
    "ratio 0.01": {"type": "ratio", "probability": 0.01},
    "ratio 0.1": {"type": "ratio", "probability": 0.1},
    "always_on": {"type": "always_on"},
}

SERVER = """
import json, os, sys
import uvicorn
from mastra.index import mastra
from mastra_core import Telemetry
from mastra_server import create_app

sampling = json.loads(sys.argv[1])
if sampling is not None:
    export = {"type": "otlp", "endpoint": sys.argv[2]}
    mastra.telemetry = Telemetry(service_name="bench", sampling=sampling, export=export)
uvicorn.run(create_app(mastra), port=int(os.environ["PORT"]), log_level="warning")
"""

COLLECTOR = """
import http.server, json, sys

class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    received = {}  # bytes by path

    def do_POST(self):
        self.received[self.path] = self.received.get(self.path, 0) + self.read_body()
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def read_body(self):
        if "content-length" in self.headers:
            return len(self.rfile.read(int(self.headers["content-length"])))
        total = 0
        while size := int(self.rfile.readline(), 16):  # Node sends chunks
            total += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return total

    def do_GET(self):
        body = json.dumps(self.received).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Collector).serve_forever()
"""


def start_servers(scratch: Path, stack: ExitStack, wheels: dict[str, Path]) -> dict[str, Server]:
    packages = [f"{wheels['mastra_core']}[telemetry]", f"{wheels['mastra_server']}[serve]"]
    python = create_environment(scratch / "environment", packages).python
    port = find_free_port()
    env = clean_environ(PYTHONPATH=str(BENCH / "apps" / "load" / "src"))
    collector = [python, "-c", COLLECTOR, str(port)]
    stack.enter_context(start_process(collector, cwd=scratch, env=env))
    servers = {}
    for name, sampling in SAMPLINGS.items():
        command = [python, "-c", SERVER, json.dumps(sampling), f"http://127.0.0.1:{port}"]
        servers[name] = stack.enter_context(start_server(command, cwd=scratch, env=env))
        servers[name].wait_for("/health")
    return servers


COMPARISON = Comparison(
    description="Measure the cost of telemetry.",
    start_servers=start_servers,
    requests=PATHS,
    aims={"always_off": 0.95, "ratio 0.01": 0.92, "ratio 0.1": 0.85, "always_on": 0.65},
    heading="sampling",
    base="no telemetry",
    pause=0.05,  # an export that has begun ends
    rounds=31,
    count=200,
)


if __name__ == "__main__":
    sys.exit(COMPARISON.run(sys.argv[1:]))
