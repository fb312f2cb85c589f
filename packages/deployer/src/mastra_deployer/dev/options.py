"""What the user asked ``mastra dev`` for, and what the project says to that."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from mastra_core.errors import ConfigError, MastraError
from mastra_core.pipeline import Project
from mastra_deployer.bundler.sources.strip_deployer import blank_deployer
from mastra_deployer.dev.ports import port_number
from mastra_deployer.dev.version import Launch
from mastra_deployer.project.deployer_argument import read_deployer
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.environment import DEVELOPMENT, read_environment
from mastra_deployer.project.interpreters import project_interpreter

__all__ = ("DevOptions", "entry_source", "secrets_of")

_SHORT = 8  # shorter values are words like "debug", which an error may well say
# For the app: that it is being developed. And its prints show when they are made.
_ALWAYS = {"MASTRA_DEV": "true", "PYTHONUNBUFFERED": "1"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DevOptions:
    """The command line.

    :param port: ``None`` where the user named none.
    :param debug: ``host:port`` on which a debugger is waited for; empty for none.
    :param quiet: no line for each request.
    """

    directory: Path
    app: str = ""
    host: str = "127.0.0.1"
    port: int | None = None
    debug: str = ""
    quiet: bool = False
    env_file: Path | None = None

    def project(self) -> Project:
        """The project as it is saved now.

        Looking for the entry reads it; one that cannot be read is still the entry.
        """
        try:
            return find_project(self.directory, self.app)
        except ConfigError:
            if self.app or not (self.directory / "src" / "mastra" / "index.py").is_file():
                raise
            return find_project(self.directory, "mastra.index:mastra")

    def values(self, project: Project) -> dict[str, str]:
        """The environment of the app: the real one, ``--env-file`` and the project's files."""
        return read_environment(project, self.env_file, DEVELOPMENT)

    def launch(self, project: Project, values: Mapping[str, str], runtime: str = "") -> Launch:
        """What a process for it is started with."""
        return Launch(
            interpreter=project_interpreter(project),
            root=project.root,
            import_root=project.import_root,
            values={**values, **_ALWAYS, **(_DEBUGGED if self.debug else {})},
            runtime=(runtime,) if runtime else (),
            quiet=self.quiet,
            debug=bool(self.debug),
        )

    def named_port(self, values: Mapping[str, str]) -> int | None:
        """The port the user wants and no other: ``--port``, else ``PORT``."""
        if self.port is not None:
            return port_number(str(self.port), "--port")
        return port_number(values["PORT"], "PORT") if values.get("PORT") else None


# What pydevd would print about modules that are frozen into the interpreter.
_DEBUGGED = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def secrets_of(values: Mapping[str, str]) -> list[str]:
    """Values that came from files, the longest first: no error repeats them."""
    found = {value for name, value in values.items() if name not in os.environ}
    return sorted((value for value in found if len(value) >= _SHORT), key=len, reverse=True)


def entry_source(entry: Path) -> bytes | None:
    """The entry file without its deployer, which a project's Python need not have.

    ``None`` where there is none to take out, or it cannot be taken out.
    """
    with contextlib.suppress(MastraError, SyntaxError, ValueError):
        content = entry.read_bytes()
        tree = ast.parse(content)
        deployer = read_deployer(entry, tree)
        return blank_deployer(content, tree, deployer) if deployer else None
    return None
