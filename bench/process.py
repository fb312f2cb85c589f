"""Run programs so that none of them outlives the benchmark."""

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

TIMEOUT = 600  # seconds; no measured command takes nearly as long


class MeasurementError(Exception):
    """A program failed, or something that a measurement needs is missing."""


def time_command(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> float:
    """Run a program and return how many seconds it took.

    :raises MeasurementError: when it exits with another code than 0; holds its last output.
    """
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        with start_process(command, cwd=cwd, env=env, output=output.fileno()) as process:
            # Popen.wait with a timeout polls, up to 50 ms apart; without one it does not.
            timer = threading.Timer(TIMEOUT, process.kill)
            timer.start()
            try:
                code = process.wait()
                duration = time.perf_counter() - start
            finally:
                timer.cancel()
        if code:
            text = _read_last_lines(output.fileno())
            raise MeasurementError(f"{Path(command[0]).name}: exit {code}: {text}")
    return duration


@contextlib.contextmanager
def start_process(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    output: int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a process group of its own; end the whole group afterwards."""
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
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
    _signal_group(process, signal.SIGKILL)  # its children may still run
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _read_last_lines(output: int) -> str:
    os.lseek(output, 0, os.SEEK_SET)
    with os.fdopen(os.dup(output), "rb") as file:
        lines = file.read().decode(errors="replace").strip().splitlines()
    return " | ".join(lines[-5:])[-500:] or "no output"
