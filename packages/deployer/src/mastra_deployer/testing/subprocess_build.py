"""Bundles the sample in a process of its own: another hash seed, another locale.

python -m mastra_deployer.testing.subprocess_build MODULE DIRECTORY SETTINGS-AS-JSON
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from mastra_core.pipeline import Silent
from mastra_deployer.project.settings import merge_settings, without_secrets
from mastra_deployer.testing.in_process import HandedLine
from mastra_deployer.testing.sample_app import sample_build

__all__ = ("bundle_afresh", "is_importable", "main", "run_python")


def is_importable(deployer: object) -> bool:
    """Whether another process can import it by name."""
    if not isinstance(deployer, ModuleType):
        return False
    spec = importlib.util.find_spec(deployer.__name__)
    return spec is not None and spec.origin == deployer.__file__


def bundle_afresh(module: str, directory: Path, table: Mapping[str, Any]) -> Path:
    """Bundle the sample in another process.

    :param table: settings as they would stand in pyproject.toml.
    :returns: where the bundle is.
    :raises AssertionError: with what the process said, when it failed.
    """
    arguments = ["-m", __name__, module, str(directory), json.dumps(table)]
    run_python(*arguments, PYTHONHASHSEED="4711", LC_ALL="C", TZ="Asia/Tokyo")
    return directory / "bundle"


def run_python(*arguments: str, **environment: str) -> str:
    """Run another Python that finds the same modules; what it printed.

    :raises AssertionError: with what it said, when it failed.
    """
    found = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": found, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]  # noqa: S101  # whoever calls makes a promise
    return done.stdout


def main() -> None:
    """Do what ``bundle_afresh`` asks for."""
    module, directory, table = sys.argv[1:]
    line = HandedLine(importlib.import_module(module))
    staged, made = Path(directory) / "build", Path(directory) / "bundle"
    for path in (staged, made):
        path.mkdir(parents=True)
    settings = merge_settings(
        line.target.settings, flags={}, environ={}, table=json.loads(table), entry={}
    )
    build = sample_build(staged, line.target)
    line.bundle(build, made, without_secrets(settings), Silent())


if __name__ == "__main__":
    main()
