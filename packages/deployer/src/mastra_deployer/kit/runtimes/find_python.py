"""Find an interpreter on this machine that can run a bundle."""

from __future__ import annotations

import sys

from mastra_core.errors import ConfigError
from mastra_deployer.project.interpreters import find_target_interpreter, probe_interpreter

__all__ = ("find_python", "require_python")


def find_python(version: str) -> str | None:
    """Return the path of an interpreter of a given version, or ``None``.

    The function searches pyenv, PATH and uv.

    :param version: major and minor, such as ``"3.12"``.
    """
    own = probe_interpreter(sys.executable)
    found = find_target_interpreter(version, own) if own else None
    return found.path if found else None


def require_python(version: str) -> str:
    """Return the path of an interpreter of the given version, which can run a bundle's preview.

    :param version: major and minor, as in ``manifest.python``.
    :raises ConfigError: when there is no such interpreter on this machine.
    """
    path = find_python(version)
    if path is None:
        raise ConfigError(
            f"This machine has no Python {version}, which the bundle needs.",
            f"Install it: uv python install {version}. Or build the bundle for another version: "
            "--python 3.X.",
        )
    return path
