"""A Python on this machine, to run what was made for a platform."""

from __future__ import annotations

import sys

from mastra_deployer.project.interpreters import probe, target_interpreter

__all__ = ("find_python",)


def find_python(version: str) -> str | None:
    """Path of an interpreter of that version (``"3.12"``), or ``None``.

    It is looked for among pyenv's versions, on PATH and where uv keeps its own.
    """
    own = probe(sys.executable)
    found = target_interpreter(version, own) if own else None
    return found.path if found else None
