"""Run a function under Vercel's own Python runtime, in a subprocess.

The runtime connects to the unix socket named by ``VERCEL_IPC_PATH``. It sends JSON messages, each
ended by a zero byte: the port it serves on, the log lines of each request, and the end of requests.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from mastra_core.errors import DeploymentFailed

__all__ = ("FunctionRuntime",)

_START_TIMEOUT = 60.0  # seconds; more than Vercel allows a function
_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$0" && exec "$@"'


class FunctionRuntime:
    """One instance of a function; a context manager that starts and stops it.

    :param function: the ``.func`` directory. The app cannot write to it as a user without root
        permissions, or as root on Linux.
    :param python: interpreter of the function's Python version.
    :param environment: environment variables of the app.
    :param log: called with each message of the runtime.
    """

    def __init__(
        self,
        function: Path,
        python: str,
        environment: Mapping[str, str],
        log: Callable[[dict[str, Any]], None],
    ) -> None:
        self._function, self._python, self._log = function, python, log
        self._environment = environment
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self.port = 0

    def __enter__(self) -> Self:
        self._temp_dir = tempfile.TemporaryDirectory(prefix="vercel-")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address = str(Path(self._temp_dir.name) / "ipc")
        self._listener.bind(address)
        self._listener.listen(1)
        self._process = subprocess.Popen(
            self._build_command(), cwd=self._function, env=self._build_environment(address)
        )
        threading.Thread(target=self._read_messages, daemon=True).start()
        try:
            self.port = self._wait_for_start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.close()
        self._temp_dir.cleanup()

    def _build_command(self) -> list[str]:
        handler = json.loads((self._function / ".vc-config.json").read_text())["handler"]
        module = handler.rpartition(".")[0]
        code = f"import sys; sys.path.insert(0, '.'); import {module}"
        # As on the platform: no site-packages of this machine and no PYTHON* variables.
        command = [self._python, "-I", "-S", "-c", code]
        if sys.platform == "linux" and os.geteuid() == 0 and shutil.which("unshare"):
            return ["unshare", "-m", "sh", "-c", _READ_ONLY, str(self._function), *command]
        return command

    def _build_environment(self, address: str) -> dict[str, str]:
        config = json.loads((self._function / ".vc-config.json").read_text())
        inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        platform = {"VERCEL": "1", "VERCEL_ENV": "development", "LANG": "C.UTF-8", "TZ": "UTC"}
        configured = {**config.get("environment", {}), **self._environment}
        return {**inherited, **platform, **configured, "VERCEL_IPC_PATH": address}

    def _wait_for_start(self) -> int:
        """Return the port, once the runtime serves.

        :raises DeploymentFailed: when it does not start, with the reason it gives.
        """
        while True:
            try:
                event = self._messages.get(timeout=_START_TIMEOUT)
            except queue.Empty:
                break
            payload = event.get("payload") or {}
            if event["type"] == "server-started":
                return int(payload["httpPort"])
            if event["type"] in ("unrecoverable-error", "ended"):
                message = str(
                    payload.get("message") or "the process ended without a message."
                ).strip()
                raise DeploymentFailed(
                    f"The app does not start under Vercel's runtime: {message.splitlines()[-1]}",
                    message if len(message.splitlines()) > 1 else "See its output above.",
                )
        raise DeploymentFailed(
            f"The app did not start within {_START_TIMEOUT:.0f} seconds.",
            "Move slow work out of the import of the app.",
        )

    def _read_messages(self) -> None:
        """Read messages until the process ends; the first ones report whether it starts."""
        threading.Thread(target=self._wait_for_exit, daemon=True).start()
        try:
            connection, _ = self._listener.accept()
        except OSError:  # the process ended before it connected
            return
        for message in _iter_messages(connection):
            self._messages.put(message)
            self._log(message)

    def _wait_for_exit(self) -> None:
        self._process.wait()
        self._messages.put({"type": "ended"})


def _iter_messages(connection: socket.socket) -> Iterator[dict[str, Any]]:
    rest = b""
    with connection:
        while chunk := connection.recv(65536):
            *complete, rest = (rest + chunk).split(b"\0")
            for item in complete:
                message = json.loads(item)
                payload = message.get("payload") or {}
                if message.get("type") == "log" and "message" in payload:
                    payload["message"] = base64.b64decode(payload["message"]).decode(
                        errors="replace"
                    )
                yield message
