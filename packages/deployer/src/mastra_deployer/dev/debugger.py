"""Support debugpy, which must be installed in the project's environment."""

from __future__ import annotations

import subprocess

from mastra_core.errors import ConfigError
from mastra_deployer.dev.ports import parse_port
from mastra_deployer.dev.server_packages import format_install_command
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("parse_debug_address", "require_debugpy")

_FIND_SCRIPT = "import sys,importlib.util as u; sys.exit(u.find_spec('debugpy') is None)"


def parse_debug_address(text: str) -> str:
    """Parse ``[HOST:]PORT`` to ``host:port``.

    :param text: the value of ``--debug``.
    :raises ConfigError: for an invalid port.
    """
    host, _, port = text.rpartition(":")
    return f"{host or '127.0.0.1'}:{parse_port(port, '--debug')}"


def require_debugpy(interpreter: Interpreter) -> None:
    """Raise an error if the project's Python does not have debugpy.

    :param interpreter: the interpreter of the project.
    :raises ConfigError: with the command that installs debugpy.
    """
    done = subprocess.run(
        [interpreter.path, "-c", _FIND_SCRIPT],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise ConfigError(
            f"--debug needs debugpy, but {interpreter.path!r} does not have it.",
            f"Install it there: {format_install_command(interpreter, 'debugpy')}.",
        )
