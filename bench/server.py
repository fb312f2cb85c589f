"""A server process that is measured."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from process import MeasurementError, start_process

TIMEOUT = 60  # seconds until the first answer, and for each request
_IDLE_INTERVAL = 0.25  # seconds between two looks at the processor time
_IDLE_TIME = 0.02  # processor seconds of a server without work in that time


class Server:
    """A process that listens on a loopback port, and the time of its start."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, start: float) -> None:
        self._process = process
        self.port = port
        self._start = start

    def wait_for(self, path: str, body: Any = None) -> float:
        """Return the seconds from the start of the process to the first 200 on ``path``."""
        while time.perf_counter() - self._start < TIMEOUT:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._request(self._connect(), path, body) == http.client.OK:
                    return time.perf_counter() - self._start
            if self._process.poll() is not None:
                raise MeasurementError(f"the server ended with exit {self._process.returncode}")
            time.sleep(0.002)
        raise MeasurementError(f"no 200 on {path} within {TIMEOUT} s")

    def measure_rate(self, path: str, body: Any = None, *, seconds: float) -> float:
        """Return requests a second, one after the other on one connection."""
        connection, count = self._connect(), 0
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            if self._request(connection, path, body) != http.client.OK:
                raise MeasurementError(f"{path} did not answer 200 under load")
            count += 1
        return count / elapsed

    def send(self, path: str, body: Any, count: int) -> None:
        """Send requests one after the other on one connection."""
        connection = self._connect()
        for _ in range(count):
            if self._request(connection, path, body) != http.client.OK:
                raise MeasurementError(f"{path} did not answer 200")
        connection.close()

    def measure_cpu(self) -> float:
        """Return the processor time of all threads so far, in seconds; on Linux only."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def measure_memory(self) -> float:
        """Return the resident memory now, in MB."""
        status = Path(f"/proc/{self._process.pid}/status")
        if status.exists():
            line = next(x for x in status.read_text().splitlines() if x.startswith("VmRSS:"))
            return int(line.split()[1]) * 1024 / 1e6
        command = ["ps", "-o", "rss=", "-p", str(self._process.pid)]  # macOS
        return int(subprocess.check_output(command)) * 1024 / 1e6

    def measure_processor_time(self) -> float:
        """Return the processor seconds of the server so far, those of its children included."""
        return sum(_read_processor_time(pid) for pid in _list_processes(self._process.pid))

    def wait_until_idle(self) -> None:
        """Wait until no work of earlier requests continues."""
        before = -1.0
        while (now := self.measure_processor_time()) - before > _IDLE_TIME:
            before = now
            time.sleep(_IDLE_INTERVAL)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def _request(self, connection: http.client.HTTPConnection, path: str, body: Any) -> int:
        """Return the status, after the whole answer has arrived."""
        if body is None:
            connection.request("GET", path)
        else:
            headers = {"content-type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        response.read()
        return response.status


@contextlib.contextmanager
def start_server(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]
) -> Iterator[Server]:
    """Start a server with PORT and HOST set; stop it afterwards."""
    port = find_free_port()
    start = time.perf_counter()
    env = {**env, "PORT": str(port), "HOST": "127.0.0.1"}
    with start_process(command, cwd=cwd, env=env) as process:
        yield Server(process, port, start)


def _list_processes(pid: int) -> list[int]:
    """Return a process and its descendants."""
    command = ["pgrep", "-P", str(pid)]
    children = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return [pid, *(each for child in children for each in _list_processes(int(child)))]


def _read_processor_time(pid: int) -> float:
    """Return the processor seconds of a process; 0 when it has ended."""
    file = Path(f"/proc/{pid}/stat")
    if sys.platform == "linux":
        with contextlib.suppress(FileNotFoundError):
            user, system = file.read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
            return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        return 0
    command = ["ps", "-o", "time=", "-p", str(pid)]  # [[hours:]minutes:]seconds
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    seconds = 0.0
    for part in text.split(":") if text else ():
        seconds = seconds * 60 + float(part)
    return seconds


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
