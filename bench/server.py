"""A server under measurement."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from process import Failed, started

PATIENCE = 60


class Server:
    """A process that answers on a port of the loopback, and when it was started."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, began: float) -> None:
        self._process = process
        self.port = port
        self._began = began

    def first(self, path: str, body: Any = None) -> float:
        """Seconds from the start of the process to the first 200 on ``path``."""
        while time.perf_counter() - self._began < PATIENCE:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._ask(self._connection(), path, body) == http.client.OK:
                    return time.perf_counter() - self._began
            if self._process.poll() is not None:
                raise Failed(f"the server ended with exit {self._process.returncode}")
            time.sleep(0.002)
        raise Failed(f"no 200 on {path} within {PATIENCE} s")

    def rate(self, path: str, body: Any = None, seconds: float = 3) -> float:
        """Requests a second, one after the other on one connection."""
        connection, count = self._connection(), 0
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            if self._ask(connection, path, body) != http.client.OK:
                raise Failed(f"{path} did not answer 200 under load")
            count += 1
        return count / passed

    def memory(self) -> float:
        """Resident memory now, in MB."""
        status = Path(f"/proc/{self._process.pid}/status")
        if status.exists():
            line = next(x for x in status.read_text().splitlines() if x.startswith("VmRSS:"))
            return int(line.split()[1]) * 1024 / 1e6
        command = ["ps", "-o", "rss=", "-p", str(self._process.pid)]  # macOS
        return int(subprocess.check_output(command)) * 1024 / 1e6

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def _ask(self, connection: http.client.HTTPConnection, path: str, body: Any) -> int:
        """The status, once the whole answer is there."""
        if body is None:
            connection.request("GET", path)
        else:
            headers = {"content-type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]
) -> Iterator[Server]:
    """The server, started now; gone afterwards."""
    port = free_port()
    began = time.perf_counter()
    env = {**env, "PORT": str(port), "HOST": "127.0.0.1"}
    with started(command, cwd=cwd, env=env) as process:
        yield Server(process, port, began)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
