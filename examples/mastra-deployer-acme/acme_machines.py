"""Acme's machines: they lay a deployment out and run `python index.py`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from acme_store import Refused

__all__ = ("Process", "end", "lay_out", "start")

Process = subprocess.Popen[bytes]
_SERVING = re.compile(rb"Serving .* on http://[^:]+:(\d+)")


def lay_out(files: Mapping[str, Path], directory: Path) -> None:
    """Put every file where it belongs."""
    shutil.rmtree(directory, ignore_errors=True)
    for name, content in files.items():
        target = (directory / name).resolve()
        if not target.is_relative_to(directory.resolve()):
            raise Refused(400, f"{name} lies outside the deployment")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(content, target)


def start(directory: Path, env: Mapping[str, str], log: Path) -> tuple[Process, int]:
    """The running app and its port, once it serves."""
    base = {"PATH": os.environ["PATH"], "PORT": "0", "HOST": "127.0.0.1"}
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, str(directory / "index.py")],
            env={**base, **env},
            cwd=directory,
            stderr=said,
        )
    while process.poll() is None:
        if found := _SERVING.search(log.read_bytes()):
            return process, int(found[1])
        time.sleep(0.05)
    raise Refused(422, f"the app did not start: {log.read_text()[-500:]}")


def end(process: Process) -> None:
    process.terminate()
    process.wait(20)
