"""Run a bundle in a separate process, and clean up everything at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

from mastra_core.errors import DeploymentFailed
from mastra_deployer.files.temporary import temporary_directory

__all__ = ("ChildProcess",)

T = TypeVar("T")
_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$PWD" && exec "$@"'
# The standard input ends when the other process ends, even by SIGKILL.
_WATCHDOG = 'read -r line; kill -9 "-$0"'
_GRACE = 10.0  # seconds between SIGTERM and SIGKILL
_INTERVAL = 0.05  # seconds
_INTERRUPTED = 130  # exit code


class ChildProcess:
    """A context manager for a process, all of its descendants, and a temporary directory.

    When the block ends, the whole process group is ended and the directory is removed. If this
    process is killed, a small shell ends the process group on Linux and macOS.

    :param directory: the working directory of the process.
    :param read_only: whether the process may only read the directory. ``read_only`` has an effect
        only on Linux, and only if the user may create namespaces.
    """

    def __init__(self, directory: Path, *, read_only: bool = True) -> None:
        self._directory = directory
        self._is_read_only = read_only
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        # The prefix is that of child processes only: stale directories with it are removed. It is
        # short, because the path of a Unix socket has at most 104 bytes.
        self.temporary = self._stack.enter_context(temporary_directory(prefix="mastra-child-"))
        self._stack.callback(self.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        directory: Path | None = None,
    ) -> None:
        """Start the process; its output appears in this process's output.

        :param command: program and arguments.
        :param environment: all environment variables of the process; ``TMPDIR`` is added if it is
            missing.
        :param directory: the working directory, in place of the constructor's directory.
        """
        variables = {"TMPDIR": str(self.temporary), **environment}
        self._process = subprocess.Popen(
            [*self._build_wrapper(variables), *command],
            cwd=directory or self._directory,
            env=variables,
            start_new_session=True,
        )
        if os.name == "posix":
            self._watchdog = subprocess.Popen(
                ["/bin/sh", "-c", _WATCHDOG, str(self._process.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def wait_until_ready(
        self, poll: Callable[[], T | None], *, name: str, timeout: float = 60
    ) -> T:
        """Wait until the process is ready, and return the result of ``poll``.

        :param poll: called repeatedly; returns ``None`` while the process is not ready.
        :param name: the name of the process in messages, such as ``The app``.
        :param timeout: seconds to wait.
        :raises DeploymentFailed: when the process ends, or is not ready in time.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            code = self.poll()
            if (result := poll()) is not None:
                return result
            if code is not None:
                raise DeploymentFailed(
                    f"{name} does not start. Its process ended with exit code {code}.",
                    "See its output above.",
                )
            time.sleep(_INTERVAL)
        raise DeploymentFailed(
            f"{name} did not start within {timeout:.0f} seconds.",
            "Move slow work out of the import of the app.",
        )

    def wait_for_port(self, file: Path, *, name: str, timeout: float = 60) -> int:
        """Wait until the process has written its port to a file, and return the port.

        :param file: the new file, which the process writes in one step.
        :param name: the name of the process in messages, such as ``The app``.
        :param timeout: seconds to wait.
        :raises DeploymentFailed: when the process ends, or is not ready in time.
        """
        return self.wait_until_ready(lambda: _read_port(file), name=name, timeout=timeout)

    def poll(self) -> int | None:
        """Return the exit code of the process, or ``None`` while it is running."""
        return self._process.poll() if self._process else None

    def wait(self) -> int:
        """Wait until the process ends, and return its exit code; 130 after an interrupt."""
        try:
            return self._process.wait() if self._process else 0
        except KeyboardInterrupt:
            return _INTERRUPTED

    def stop(self) -> None:
        """End the process and all its descendants: SIGTERM, and SIGKILL after 10 seconds."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        finally:
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))  # descendants too
            self._process.wait()
            self._stop_watchdog()

    def _stop_watchdog(self) -> None:
        if self._watchdog is not None:
            with self._watchdog:  # closes its standard input
                self._watchdog.kill()

    def _signal(self, number: int) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, number)
            else:
                self._process.terminate()

    def _build_wrapper(self, variables: Mapping[str, str]) -> list[str]:
        """Return a command that makes the directory read-only; empty if it does not work here."""
        unshare = shutil.which("unshare")  # the process may have another PATH
        if not self._is_read_only or sys.platform != "linux" or unshare is None:
            return []
        script = ["sh", "-c", _READ_ONLY, str(self._directory)]
        wrapper = [unshare, "-m", *script]
        if os.geteuid() != 0:
            # Only root of a user namespace may mount. In a second namespace, the user is as before.
            user = (f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}")
            wrapper = [unshare, "-m", "-r", *script, unshare, "-U", *user]
        probe = subprocess.run(
            [*wrapper, "sh", "-c", ":"], env=variables, capture_output=True, check=False
        )
        return wrapper if probe.returncode == 0 else []


def _read_port(file: Path) -> int | None:
    return int(file.read_text(encoding="ascii")) if file.exists() else None
