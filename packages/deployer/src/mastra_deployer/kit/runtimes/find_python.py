"""Finds an interpreter on this machine that can run a bundle."""

from __future__ import annotations

import sys

from mastra_deployer.project.interpreters import find_target_interpreter, probe_interpreter

__all__ = ("find_python",)


def find_python(version: str) -> str | None:
    """Return the path of an interpreter of a version, or ``None``.

    The versions of pyenv, PATH and the interpreters of uv are searched.

    :param version: major and minor, such as ``"3.12"``.
    """
    own = probe_interpreter(sys.executable)
    found = find_target_interpreter(version, own) if own else None
    return found.path if found else None
