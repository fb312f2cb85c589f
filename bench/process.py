"""Runs programs so that none of them outlives the benchmark."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

LIMIT = 600  # seconds; nothing measured here takes nearly as long


class Failed(Exception):
    """A program did not do what it was run for."""


def run(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> float:
    """How many seconds a program took.

    :raises Failed: with its last words, when it did not end well.
    """
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        with started(command, cwd=cwd, env=env, output=output.fileno()) as process:
            # Popen.wait with a timeout polls, up to 50 ms apart; without one it does not.
            timer = threading.Timer(LIMIT, process.kill)
            timer.start()
            try:
                code = process.wait()
                took = time.perf_counter() - began
            finally:
                timer.cancel()
        if code:
            raise Failed(f"{Path(command[0]).name}: exit {code}: {_last(output.fileno())}")
    return took


@contextlib.contextmanager
def started(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    output: int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """A running program, in a group of its own; the whole group is gone afterwards."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output >= 0 else output,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
    _signal(process, signal.SIGKILL)  # what it started may still be there
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _last(output: int) -> str:
    os.lseek(output, 0, os.SEEK_SET)
    with os.fdopen(os.dup(output), "rb") as file:
        lines = file.read().decode(errors="replace").strip().splitlines()
    return " | ".join(lines[-5:])[-500:] or "it said nothing"
