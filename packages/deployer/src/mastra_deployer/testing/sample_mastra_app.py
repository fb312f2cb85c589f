"""Stage a small Mastra app with an agent and a workflow, as ``mastra build`` does."""

from __future__ import annotations

import sys
from pathlib import Path

from mastra_core.pipeline import Build, Platform, Report, Target
from mastra_deployer.kit import find_python
from mastra_deployer.plugins.hook_calls import HookCaller
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.interpreters import probe_interpreter

__all__ = ("build_mastra_app", "find_local_platform")

_APP = """\
import os

from mastra_core import Mastra, Workflow, step


async def echo(text: str):
    yield f"echo: {text}"


@step
def greet(name: str) -> str:
    return f"{os.environ.get('GREETING')}, {name}"


mastra = Mastra(
    agents={"echo": echo}, workflows={"welcome": Workflow("welcome").then(greet)}, logger=False
)
"""
_PYPROJECT = """\
[project]
name = "conformance-app"
version = "0"
requires-python = ">=3.11"
dependencies = ["mastra-core"]

[tool.mastra.env]
optional = ["GREETING", "FAREWELL"]
"""


def find_local_platform(target: Target) -> Platform | None:
    """Return the first platform of a target whose builds run on this machine, or ``None``.

    :param target: the target.
    """
    own = probe_interpreter(sys.executable)
    if own is None:
        return None
    for item in target.platforms:
        python, wheels = item.python or own.python, item.wheels or own.wheels
        found = find_python(python)
        interpreter = probe_interpreter(found) if found else None
        if interpreter and interpreter.can_run(wheels):
            return Platform(python=python, wheels=wheels)
    return None


def build_mastra_app(
    directory: Path, caller: HookCaller, platform: Platform, report: Report
) -> Build:
    """Write the project, and stage it.

    :param directory: an empty directory.
    :param caller: calls the deployer's hooks.
    :param platform: the platform to stage for.
    :param report: receives progress and notes.
    """
    root, staged = directory / "project", directory / "build"
    entry = root / "src" / "mastra" / "index.py"
    for path in (staged, entry.parent):
        path.mkdir(parents=True)
    entry.write_text(_APP, encoding="utf-8", newline="\n")
    (root / "pyproject.toml").write_text(_PYPROJECT, encoding="utf-8", newline="\n")
    return caller.build(find_project(root), platform, staged, report)
