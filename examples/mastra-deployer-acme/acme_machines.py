"""Acme's machines, which write a deployment's files and run `python index.py`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from acme_store import RequestError

__all__ = ("Process", "start", "stop", "write_files")

Process = subprocess.Popen[bytes]
_SERVING = re.compile(rb"Serving .* on http://[^:]+:(\d+)")


def write_files(files: Mapping[str, Path], directory: Path) -> None:
    """Write a deployment's files into an empty directory."""
    shutil.rmtree(directory, ignore_errors=True)
    for name, content in files.items():
        target = (directory / name).resolve()
        if not target.is_relative_to(directory.resolve()):
            raise RequestError(400, f"{name} lies outside the deployment")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(content, target)


def start(directory: Path, env: Mapping[str, str], log: Path) -> tuple[Process, int]:
    """Start the app, and return its process and port once it serves."""
    base = {"PATH": os.environ["PATH"], "PORT": "0", "HOST": "127.0.0.1"}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(directory / "index.py")],
            env={**base, **env},
            cwd=directory,
            stderr=stderr,
        )
    while process.poll() is None:
        if found := _SERVING.search(log.read_bytes()):
            return process, int(found[1])
        time.sleep(0.05)
    raise RequestError(422, f"the app did not start: {log.read_text(encoding='utf-8')[-500:]}")


def stop(process: Process) -> None:
    process.terminate()
    process.wait(20)
