"""Measure what telemetry costs: processor time per request, beside a server without telemetry.

python bench/telemetry.py           about three minutes; more the first time
python bench/telemetry.py --quick   one round of a few requests

Each sampling runs in a server of its own, which exports to a collector on loopback. Rounds take the
servers in turn. The share is the time without telemetry divided by the time with it, so 1 is free.
"""

from __future__ import annotations

import json
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
from paths import BENCH
from process import start_process
from server import Server, find_free_port, start_server

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
AIMS = {"always_off": 0.95, "ratio 0.01": 0.92, "ratio 0.1": 0.85, "always_on": 0.65}

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
import http.server, sys

class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Collector).serve_forever()
"""

Samples = dict[tuple[str, str], list[float]]  # microseconds per request by endpoint and sampling


def main(arguments: Sequence[str]) -> int:
    parser = create_parser("Measure the cost of telemetry.", quick="one round of a few requests")
    add_wheels_option(parser)
    options = parser.parse_args(arguments)
    rounds, requests = (1, 50) if options.quick else (31, 200)
    with tempfile.TemporaryDirectory(prefix="mastra-bench-") as scratch, ExitStack() as stack:
        servers = _start_servers(Path(scratch), stack, options.wheels)
        samples: Samples = {}
        for number in range(-1, rounds):  # the first round warms the servers
            log_progress(f"round {number + 1}")
            for title, (path, body) in PATHS.items():
                for sampling, server in servers.items():
                    cost = _measure_request(server, path, body, requests)
                    if number >= 0:
                        samples.setdefault((title, sampling), []).append(cost)
    print("\n".join(format_table(samples)))
    write_json(options.json, {" ".join(key): costs for key, costs in samples.items()})
    return 0


def format_table(samples: Samples) -> list[str]:
    """Return the lines of a Markdown table of the shares.

    :param samples: the microseconds per request of each round.
    """
    titles = list(dict.fromkeys(title for title, _ in samples))
    lines = [" | ".join(["| sampling", *titles, "aim |"]), "|---" * (len(titles) + 2) + "|"]
    base = [f"{median(samples[title, 'none']):.0f} us" for title in titles]
    lines.append(" | ".join(["| no telemetry", *base, "|"]))
    for sampling, aim in AIMS.items():
        shares = [f"{_compute_share(samples, title, sampling):.2f}" for title in titles]
        lines.append(" | ".join([f"| {sampling}", *shares, f"{aim} |"]))
    return lines


def _compute_share(samples: Samples, title: str, sampling: str) -> float:
    pairs = zip(samples[title, "none"], samples[title, sampling], strict=True)
    return median(without / with_ for without, with_ in pairs)


def _start_servers(scratch: Path, stack: ExitStack, built: Path | None) -> dict[str, Server]:
    log_progress("environment")
    wheels = prepare_wheels(scratch / "wheels", built)
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


def _measure_request(server: Server, path: str, body: Any, count: int) -> float:
    """Return the processor time of one request in microseconds, including the export's."""
    before = server.measure_cpu()
    server.send(path, body, count)
    time.sleep(0.05)  # an export that has begun ends
    return (server.measure_cpu() - before) / count * 1e6


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
