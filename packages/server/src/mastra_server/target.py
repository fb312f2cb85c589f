"""The universal target: a directory that ``python index.py`` serves on any machine.

Tool side only; the server never imports it. It is a deployer like any other, and the simplest
example of one.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Build, Bundle, Target

__all__ = ("ServerSettings", "mastra_bundle", "mastra_target")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The universal target has no settings: the environment says port and host."""

    target: ClassVar[str] = "server"


@hookimpl
def mastra_target() -> Target:
    """Any machine with a matching Python."""
    return Target(
        name="server",
        summary="a directory that `python index.py` serves on any machine",
        settings=ServerSettings,
        requirements=(
            "httptools>=0.6.3",
            "uvicorn>=0.38",
            "uvloop>=0.21 ; sys_platform != 'win32'",
        ),
        elsewhere=False,
    )


@hookimpl
def mastra_bundle(build: Build, directory: Path) -> Bundle:
    """The build as it is: its launcher is what serves it."""
    build.move_to(directory)
    return Bundle.seal(build, directory, "server")
