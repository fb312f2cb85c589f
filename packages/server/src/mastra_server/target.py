"""Define the ``server`` target: a directory that ``python index.py`` serves on any machine.

The server itself never imports this module. The module is the simplest example of a deployer.
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
    """The settings of the ``server`` target: none, because variables set the port and the host."""

    target: ClassVar[str] = "server"


@hookimpl
def mastra_target() -> Target:
    """Return the target ``server``: any machine with the right Python version.

    :returns: the description of the ``server`` target.
    """
    return Target(
        name="server",
        summary="a directory that `python index.py` serves on any machine",
        settings=ServerSettings,
        requirements=(
            "httptools>=0.6.3",
            "uvicorn>=0.38",
            "uvloop>=0.21 ; sys_platform != 'win32'",
        ),
        remote=False,
        alternatives={"preview": "Run `mastra build`, then `mastra start`."},
    )


@hookimpl
def mastra_bundle(build: Build, directory: Path) -> Bundle:
    """Move the build unchanged into the bundle's directory. The build has a launcher for the app.

    :param build: the finished build.
    :param directory: where the bundle goes.
    :returns: the sealed bundle.
    """
    build.move_to(directory)
    return Bundle.seal(build, directory, "server")
