"""Bundle the sample app in another process, with another hash seed and another locale.

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

from mastra_core.pipeline import SilentReport
from mastra_deployer.project.settings import merge_settings, remove_secrets
from mastra_deployer.testing.in_process import InProcessCaller
from mastra_deployer.testing.sample_app import sample_build

__all__ = ("bundle_in_subprocess", "is_importable", "main", "run_python")


def is_importable(deployer: object) -> bool:
    """Return whether another process can import the deployer by its name.

    :param deployer: the module, or object, with the hooks.
    """
    if not isinstance(deployer, ModuleType):
        return False
    spec = importlib.util.find_spec(deployer.__name__)
    return spec is not None and spec.origin == deployer.__file__


def bundle_in_subprocess(module: str, directory: Path, table: Mapping[str, Any]) -> Path:
    """Bundle the sample app in another process.

    :param module: name of the deployer's module.
    :param directory: an empty directory.
    :param table: the deployer's settings as a table of pyproject.toml.
    :returns: the bundle's directory.
    :raises AssertionError: when the process failed, with its error output.
    """
    arguments = ["-m", __name__, module, str(directory), json.dumps(table)]
    run_python(*arguments, PYTHONHASHSEED="4711", LC_ALL="C", TZ="Asia/Tokyo")
    return directory / "bundle"


def run_python(*arguments: str, **environment: str) -> str:
    """Run another Python with the same import path, and return its output.

    :param arguments: the arguments of the interpreter.
    :param environment: environment variables to add.
    :raises AssertionError: when the process failed, with its error output.
    """
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]  # noqa: S101  # called by tests
    return done.stdout


def main() -> None:
    """Bundle the sample app with the command line's arguments, in the subprocess."""
    module, directory, table = sys.argv[1:]
    caller = InProcessCaller(importlib.import_module(module))
    build_directory, bundle_directory = Path(directory) / "build", Path(directory) / "bundle"
    for path in (build_directory, bundle_directory):
        path.mkdir(parents=True)
    settings = merge_settings(
        caller.target.settings, flags={}, environ={}, table=json.loads(table), entry={}
    )
    build = sample_build(build_directory, caller.target)
    caller.bundle(build, bundle_directory, remove_secrets(settings), SilentReport())


if __name__ == "__main__":
    main()
