"""Send requests by wrk, and read what it prints."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from process import MeasurementError

__all__ = ("Sample", "parse_wrk", "run_wrk")

MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclasses.dataclass(frozen=True)
class Sample:
    """What wrk reports of one endpoint.

    :param rate: requests a second.
    :param p50: median latency in milliseconds.
    :param p99: 99th percentile of the latency in milliseconds.
    :param failed: requests without an answer, or with another status than 2xx and 3xx.
    :param memory: resident memory of the server afterwards, in MB.
    """

    rate: float
    p50: float
    p99: float
    failed: int
    memory: float = 0


def run_wrk(url: str, clients: int, seconds: int, *, body: Any, scratch: Path) -> Sample:
    """Send requests for some seconds.

    :param url: where to.
    :param clients: the number of connections.
    :param seconds: how long.
    :param body: what is posted as JSON; ``None`` for a GET.
    :param scratch: a directory for a script of wrk.
    :raises MeasurementError: when wrk fails.
    """
    script = scratch / "request.lua"
    script.write_text(_format_lua(body))
    options = ["-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    command = ["wrk", *options, "-s", str(script), url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasurementError(f"wrk: {done.stderr.strip()[-300:]}")
    return parse_wrk(done.stdout)


def _format_lua(body: Any) -> str:
    """Return a script for wrk that posts ``body`` as JSON; empty for a GET."""
    if body is None:
        return ""
    head = 'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'
    return f"{head}wrk.body = [[{json.dumps(body)}]]\n"


def parse_wrk(text: str) -> Sample:
    """Parse what wrk prints with `--latency`."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    latency = {
        percent: float(value) * MILLISECONDS[unit]
        for percent, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s|m)\b", text)
    }
    if rate is None:
        raise MeasurementError(f"wrk printed no rate: {text[-300:]!r}")
    status = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    failed = int(status[1]) if status else 0
    failed += sum(map(int, errors.groups())) if errors else 0
    return Sample(float(rate[1]), latency["50"], latency["99"], failed)
