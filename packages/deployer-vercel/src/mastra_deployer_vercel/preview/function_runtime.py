"""Run a function under Vercel's own Python runtime, in a subprocess.

The runtime connects to the unix socket in ``VERCEL_IPC_PATH``, and sends JSON messages there. Each
message ends with a zero byte. The messages report the port of the runtime, and for each request its
log lines and its end.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import queue
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from mastra_core.errors import ConfigError, DeploymentFailed
from mastra_deployer.kit import ChildProcess

__all__ = ("FunctionRuntime",)

_START_TIMEOUT = 60.0  # seconds; more than Vercel allows a function
_START_TYPES = ("server-started", "unrecoverable-error")


class FunctionRuntime:
    """One instance of a function; as a context manager, it starts and stops the instance.

    :param function: the ``.func`` directory, which is read-only for the app where ``ChildProcess``
        can enforce this.
    :param python: interpreter of the function's Python version.
    :param environment: environment variables of the app.
    :param log: a function to call with each message of the runtime.
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
        self._starts: queue.Queue[dict[str, Any]] = queue.Queue()  # messages about the start
        self.port = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            child = stack.enter_context(ChildProcess(self._function))
            address = str(child.temporary / "ipc")
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            listener.bind(address)
            listener.listen(1)
            python = self._create_environment(child.temporary / "python")
            child.start(self._build_command(python), self._build_environment(address))
            threading.Thread(target=self._read_messages, args=(listener,), daemon=True).start()
            self.port = child.wait_until_ready(
                self._read_start, name="The app", timeout=_START_TIMEOUT
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _create_environment(self, directory: Path) -> str:
        """Create a virtual environment without packages, and return its interpreter.

        As on the platform, packages of this machine cannot be imported, even by child processes of
        the app.

        :raises ConfigError: when the interpreter cannot create a virtual environment.
        """
        command = [self._python, "-I", "-m", "venv", "--without-pip", "--symlinks", str(directory)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason is given"]
            raise ConfigError(
                f"{self._python!r} cannot create a virtual environment: {lines[-1]}.",
                "Check the free disk space. On Debian, install the package python3-venv.",
            )
        return str(directory / "bin" / "python")

    @functools.cached_property
    def _config(self) -> dict[str, Any]:
        """The contents of the function's ``.vc-config.json``."""
        text = (self._function / ".vc-config.json").read_text(encoding="utf-8")
        config: dict[str, Any] = json.loads(text)
        return config

    def _build_command(self, python: str) -> list[str]:
        module = self._config["handler"].rpartition(".")[0]
        code = f"import sys; sys.path.insert(0, '.'); import {module}"
        return [python, "-I", "-c", code]

    def _build_environment(self, address: str) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
        platform = {"VERCEL": "1", "VERCEL_ENV": "development", "LANG": "C.UTF-8", "TZ": "UTC"}
        configured = {**self._config.get("environment", {}), **self._environment}
        return {**inherited, **platform, **configured, "VERCEL_IPC_PATH": address}

    def _read_start(self) -> int | None:
        """Return the port once the runtime serves; return ``None`` before that.

        :raises DeploymentFailed: when the runtime reports why it does not start.
        """
        try:
            event = self._starts.get_nowait()
        except queue.Empty:
            return None
        payload = event.get("payload") or {}
        if event["type"] == "server-started":
            return int(payload["httpPort"])
        message = str(payload.get("message") or "no reason is given.").strip()
        raise DeploymentFailed(
            f"The app does not start under Vercel's runtime: {message.splitlines()[-1]}",
            message if len(message.splitlines()) > 1 else "See its output above.",
        )

    def _read_messages(self, listener: socket.socket) -> None:
        """Read messages until the process ends."""
        try:
            connection, _ = listener.accept()
        except OSError:  # the process ended before it had connected
            return
        for message in _iter_messages(connection):
            if message.get("type") in _START_TYPES:
                self._starts.put(message)
            self._log(message)


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
