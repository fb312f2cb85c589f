"""Run ``mastra_preview`` of a deployer in another process, like ``mastra preview``.

python -m mastra_deployer.testing.preview_process MODULE DIRECTORY PORT SETTINGS-AS-JSON
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from mastra_core.pipeline import Bundle
from mastra_core.secret import Secret
from mastra_deployer.project.settings import merge_settings, remove_secrets
from mastra_deployer.project.termination import raise_at_termination
from mastra_deployer.testing.free_port import find_free_port
from mastra_deployer.testing.in_process import InProcessCaller

__all__ = ("main", "run_preview")

_START_TIMEOUT = 90.0  # seconds
_STOP_TIMEOUT = 20.0  # seconds
_RUN = "import json, sys; sys.path[:0] = json.loads(sys.argv.pop()); import {0}; {0}.main()"


@contextlib.contextmanager
def run_preview(
    module: str, bundle: Bundle, table: Mapping[str, Any], env: Mapping[str, str], log: Path
) -> Iterator[httpx.Client]:
    """Run a preview, yield a client for it when it responds, and interrupt it.

    :param module: name of the deployer's module.
    :param bundle: the bundle to run.
    :param table: the deployer's settings as a table of pyproject.toml.
    :param env: values of the app's variables.
    :param log: a file that receives the output.
    :raises AssertionError: with the output, if the preview does not respond or does not end.
    """
    port = find_free_port()
    arguments = [module, str(bundle.directory), str(port), json.dumps(table)]
    # Only this process gets the import path: the app must run with the bundle's own packages.
    command = [sys.executable, "-c", _RUN.format(__name__), *arguments, json.dumps(sys.path)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
        )
    try:
        assert process.stdin  # noqa: S101  # it is a pipe
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(json.dumps(dict(env)).encode())
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
            _wait_for_answer(client, process, log)
            yield client
        _interrupt(process, port, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for_answer(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(
                f"the preview ended with exit code {process.returncode} before it responded: "
                f"{_read_tail(log)}"
            )
        with contextlib.suppress(httpx.TransportError):
            client.get("/health")
            return
        time.sleep(0.05)
    raise AssertionError(f"the preview does not respond: {_read_tail(log)}")


def _interrupt(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Interrupt the preview as a terminal does, and check that no process remains."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"an interrupt does not end the preview: {_read_tail(log)}") from None
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        raise AssertionError("the preview ended, but its app still listens")


def _read_tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


def main() -> None:
    """Run the preview that the command line names; this code runs in the child process."""
    module, directory, port, table = sys.argv[1:]
    values = {name: Secret(text) for name, text in json.load(sys.stdin).items()}
    caller = InProcessCaller(importlib.import_module(module))
    settings = merge_settings(
        caller.target.settings, flags={}, environ={}, table=json.loads(table), entry={}
    )
    bundle = caller.load_bundle(Path(directory))
    # A shell lets the commands that it runs in the background ignore Ctrl-C, and so their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    raise_at_termination()
    sys.exit(caller.preview(bundle, remove_secrets(settings), "127.0.0.1", int(port), values))


if __name__ == "__main__":
    main()
