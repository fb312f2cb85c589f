"""Figures of starting things again and again, for either side."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from book import Book
from process import run
from server import serving

Command = Sequence[str | Path]


def over(
    command: Command, bare: Command, *, cwd: Path, env: Mapping[str, str], times: int
) -> list[float]:
    """Milliseconds that one command takes longer than another, in pairs."""
    run(command, cwd=cwd, env=env)
    return [
        (run(command, cwd=cwd, env=env) - run(bare, cwd=cwd, env=env)) * 1000 for _ in range(times)
    ]


def taken(command: Command, *, cwd: Path, env: Mapping[str, str], times: int) -> list[float]:
    """Milliseconds a command takes."""
    run(command, cwd=cwd, env=env)
    return [run(command, cwd=cwd, env=env) * 1000 for _ in range(times)]


def starts(
    book: Book, name: str, command: Command, *, agent: str, env: Mapping[str, str], times: int
) -> None:
    """Start to health, memory before and after an agent run; and start to an agent's answer."""
    cwd, path, body = Path(str(command[-1])).parent, *question(agent)
    with serving(command, cwd=cwd, env=env) as server:
        server.first(path, body)  # whatever is made at the first start is there from here on
    for _ in range(times):
        with serving(command, cwd=cwd, env=env) as server:
            book.add(f"{name}.start", server.first("/health"))
            time.sleep(1)
            book.add(f"{name}.idle", server.memory())
            server.first(path, body)
            book.add(f"{name}.used", server.memory())
        with serving(command, cwd=cwd, env=env) as server:
            book.add(f"{name}.agent", server.first(path, body))


def load(
    book: Book, name: str, command: Command, *, agent: str, env: Mapping[str, str], times: int
) -> None:
    """Requests a second of one client, each time on a fresh server."""
    cwd, path, body = Path(str(command[-1])).parent, *question(agent)
    for _ in range(times):
        with serving(command, cwd=cwd, env=env) as server:
            server.first("/health")
            server.first(path, body)
            book.add(f"{name}.health", server.rate("/health"))
            book.add(f"{name}.generate", server.rate(path, body))


def question(agent: str) -> tuple[str, dict[str, str]]:
    return f"/api/agents/{agent}/generate", {"messages": "What is it like in Oslo?"}
