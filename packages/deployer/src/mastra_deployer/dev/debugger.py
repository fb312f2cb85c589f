"""A debugger: debugpy of the project's own environment."""

from __future__ import annotations

import subprocess

from mastra_core.errors import ConfigError
from mastra_deployer.dev.ports import port_number
from mastra_deployer.dev.runtime import install_line
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("debug_address", "require_debugpy")

_LOOK = "import sys,importlib.util as u; sys.exit(u.find_spec('debugpy') is None)"


def debug_address(text: str) -> str:
    """``[HOST:]PORT`` as ``host:port``.

    :raises ConfigError: when it is none.
    """
    host, _, port = text.rpartition(":")
    return f"{host or '127.0.0.1'}:{port_number(port, '--debug')}"


def require_debugpy(interpreter: Interpreter) -> None:
    """Make sure that the project's Python has it.

    :raises ConfigError: with the line that installs it.
    """
    done = subprocess.run(
        [interpreter.path, "-c", _LOOK], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        raise ConfigError(
            f"--debug needs debugpy, and {interpreter.path!r} has none.",
            f"Install it there: {install_line(interpreter, 'debugpy')}.",
        )
