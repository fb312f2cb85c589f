"""Measurements that the product and the peer share."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from process import time_command
from results import Results
from server import start_server

Command = Sequence[str | Path]


def measure_overhead(
    command: Command, baseline: Command, *, cwd: Path, env: Mapping[str, str], rounds: int
) -> list[float]:
    """Return the milliseconds that one command takes longer than another, round by round."""
    time_command(command, cwd=cwd, env=env)  # fills the file system's cache
    return [
        (time_command(command, cwd=cwd, env=env) - time_command(baseline, cwd=cwd, env=env)) * 1000
        for _ in range(rounds)
    ]


def measure_duration(
    command: Command, *, cwd: Path, env: Mapping[str, str], rounds: int
) -> list[float]:
    """Return the milliseconds that a command takes, round by round."""
    time_command(command, cwd=cwd, env=env)  # fills the file system's cache
    return [time_command(command, cwd=cwd, env=env) * 1000 for _ in range(rounds)]


def measure_starts(
    results: Results,
    name: str,
    command: Command,
    *,
    agent: str,
    env: Mapping[str, str],
    rounds: int,
) -> None:
    """Measure start to health, start to an agent's answer, and memory before and after that."""
    cwd, path, body = Path(str(command[-1])).parent, *build_agent_request(agent)
    with start_server(command, cwd=cwd, env=env) as server:
        server.wait_for(path, body)  # the first start writes caches, and is not counted
    for _ in range(rounds):
        with start_server(command, cwd=cwd, env=env) as server:
            results.add(f"{name}.start", server.wait_for("/health"))
            time.sleep(1)
            results.add(f"{name}.idle", server.measure_memory())
            server.wait_for(path, body)
            results.add(f"{name}.used", server.measure_memory())
        with start_server(command, cwd=cwd, env=env) as server:
            results.add(f"{name}.agent", server.wait_for(path, body))


def measure_rates(
    results: Results,
    name: str,
    command: Command,
    *,
    agent: str,
    env: Mapping[str, str],
    rounds: int,
    seconds: float,
) -> None:
    """Measure requests a second of one client, each round on a fresh server."""
    cwd, path, body = Path(str(command[-1])).parent, *build_agent_request(agent)
    for _ in range(rounds):
        with start_server(command, cwd=cwd, env=env) as server:
            server.wait_for("/health")
            server.wait_for(path, body)
            results.add(f"{name}.health", server.measure_rate("/health", seconds=seconds))
            results.add(f"{name}.generate", server.measure_rate(path, body, seconds=seconds))


def build_agent_request(agent: str) -> tuple[str, dict[str, str]]:
    """Return path and body of a request that generates one answer."""
    return f"/api/agents/{agent}/generate", {"messages": "What is it like in Oslo?"}


def measure_size(directory: Path) -> tuple[float, int]:
    """Return the apparent size of a directory in MB (a million bytes), and its number of files."""
    files = [Path(root) / name for root, _, names in os.walk(directory) for name in names]
    return sum(path.lstat().st_size for path in files) / 1e6, len(files)
