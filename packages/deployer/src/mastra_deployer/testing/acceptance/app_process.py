"""Write the example project, and serve it with ``mastra preview`` or ``index.py``."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from mastra_deployer.testing.free_port import find_free_port

__all__ = ("preview_app", "serve_build", "serve_command", "write_app")

_SUSPENDING = '        "approval": Workflow("approval").then(ask),\n'  # a line of the entry file
_START_SECONDS = 300  # a preview builds first
_TEMPLATE = Path(__file__).with_name("template")
_MASTRA = "import sys; from mastra_deployer.cli.main import main; sys.argv[0] = 'mastra'; main()"


def write_app(root: Path, *, suspends: bool = True) -> Path:
    """Write the project of the example application.

    :param root: a directory that does not exist yet.
    :param suspends: whether the app has a workflow that suspends its runs.
    :returns: the directory.
    """
    shutil.copytree(_TEMPLATE, root, ignore=shutil.ignore_patterns("__pycache__"))
    if not suspends:
        entry = root / "src/mastra/index.py"
        text = entry.read_text(encoding="utf-8").replace(_SUSPENDING, "")
        entry.write_text(text, encoding="utf-8", newline="\n")
    return root


@contextlib.contextmanager
def preview_app(
    project: Path, target: str, options: Sequence[str], variables: Mapping[str, str]
) -> Iterator[str]:
    """Run ``mastra preview TARGET`` within the block, and yield the address.

    :param project: the project that ``write_app`` returned.
    :param target: name of the target.
    :param options: further options of the command: ``("-s", "app=shop")``.
    :param variables: environment variables to add.
    """
    port = find_free_port()
    address = ("--host", "127.0.0.1", "--port", str(port))
    command = [sys.executable, "-c", _MASTRA, "preview", target, *options, *address]
    with serve_command(command, port, project, {**os.environ, **variables}) as url:
        yield url


@contextlib.contextmanager
def serve_build(
    project: Path, options: Sequence[str], variables: Mapping[str, str]
) -> Iterator[str]:
    """Run ``mastra build``, serve ``.mastra/index.py`` within the block, and yield its address.

    :param project: the project that ``write_app`` returned.
    :param options: options of ``mastra build``.
    :param variables: the only environment variables of the app, apart from PATH.
    """
    built = subprocess.run(
        [sys.executable, "-c", _MASTRA, "build", *options],
        cwd=project,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if built.returncode:
        pytest.fail(f"mastra build failed: {built.stderr[-2000:]}")
    port = find_free_port()
    environment = {"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port), **variables}
    command = [sys.executable, str(project / ".mastra" / "index.py")]
    with serve_command(command, port, Path("/"), environment) as url:
        yield url


@contextlib.contextmanager
def serve_command(
    command: Sequence[str], port: int, cwd: Path, environment: Mapping[str, str]
) -> Iterator[str]:
    """Run a server within the block, and yield its address when it is healthy.

    :param command: the server's command.
    :param port: the port of this machine on which the server listens.
    :param cwd: the working directory of the server.
    :param environment: all environment variables of the server.
    """
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=cwd, env=dict(environment), stdout=log, stderr=log)
        try:
            if not _wait_until_healthy(url, process):
                log.seek(0)
                pytest.fail(f"the app does not serve {url}/health: {log.read()[-2000:]}")
            yield url
        finally:
            _stop(process)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", trust_env=False).status_code == httpx.codes.OK:
                return True
        time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
