"""Options of ``mastra dev``, and the interpreter, variables and hosts that they select."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from mastra_core.errors import ConfigError, MastraError
from mastra_core.pipeline import Project
from mastra_deployer.bundler.sources.strip_deployer import strip_deployer
from mastra_deployer.dev.allowed_hosts import parse_hosts
from mastra_deployer.dev.ports import parse_port
from mastra_deployer.dev.version import Launch
from mastra_deployer.project.deployer_argument import read_deployer
from mastra_deployer.project.discovery import find_project, get_config
from mastra_deployer.project.environment import DEVELOPMENT_ENV_FILES, read_environment
from mastra_deployer.project.interpreters import find_project_interpreter

__all__ = ("DevOptions", "collect_secrets", "read_entry_source")

_SHORT = 8  # shorter values may be common words such as "debug"
# MASTRA_DEV lets the app detect development; unbuffered output appears at once.
_DEV_ENV = {"MASTRA_DEV": "true", "PYTHONUNBUFFERED": "1"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DevOptions:
    """The options of ``mastra dev``.

    :param directory: the directory of the project.
    :param app: ``module:attribute`` of the app; empty to find the app in the project.
    :param host: address to bind.
    :param port: port to bind; ``None`` if the user gave none.
    :param debug: ``host:port`` on which the app waits for a debugger; empty for none.
    :param quiet: do not log requests.
    :param env_file: a file with further environment variables.
    :param allow_hosts: further host names that the app's URL may have, besides this machine's
        names.
    """

    directory: Path
    app: str = ""
    host: str = "127.0.0.1"
    port: int | None = None
    debug: str = ""
    quiet: bool = False
    env_file: Path | None = None
    allow_hosts: tuple[str, ...] = ()

    def find_project(self) -> Project:
        """Find the project in its present state; its entry module may have a syntax error."""
        try:
            return find_project(self.directory, self.app)
        except ConfigError:
            if self.app or not (self.directory / "src" / "mastra" / "index.py").is_file():
                raise
            return find_project(self.directory, "mastra.index:mastra")

    def read_values(self, project: Project) -> dict[str, str]:
        """Return the app's variables: from this process, ``--env-file`` and the project's files.

        :param project: the project, whose environment files are read.
        """
        return read_environment(project, self.env_file, DEVELOPMENT_ENV_FILES)

    def build_launch(
        self,
        project: Project,
        values: Mapping[str, str],
        runtime: str = "",
        editables: tuple[Path, ...] = (),
    ) -> Launch:
        """Build the parameters of a process for the project.

        :param project: the project as it is saved now.
        :param values: the app's environment.
        :param runtime: directory with the server's packages; empty if the project has them.
        :param editables: import roots of packages that are installed as editable.
        """
        interpreter = find_project_interpreter(project)
        # Console scripts of the project are found by name, as in a bundle.
        scripts = str(Path(interpreter.path).parent)
        path = os.pathsep.join(filter(None, (scripts, values.get("PATH"))))
        return Launch(
            interpreter=interpreter,
            root=project.root,
            import_root=project.import_root,
            values={**values, "PATH": path, **_DEV_ENV, **(_DEBUG_ENV if self.debug else {})},
            editables=editables,
            runtime=(runtime,) if runtime else (),
            quiet=self.quiet,
            debug=bool(self.debug),
            address=self.host,
            hosts=self.get_hosts(project),
        )

    def format_token(self, project: Project, name: str) -> str:
        """Return a shell expression for a variable's value, which can be printed without the value.

        :param project: the project, whose environment files are read.
        :param name: the name of the variable; empty for none.
        """
        if not name or name in os.environ:
            return f"${name}" if name else ""
        files = [*([self.env_file] if self.env_file else [])]
        files += [project.root / each for each in reversed(DEVELOPMENT_ENV_FILES)]
        readers = (_format_reader(file, name) for file in files)
        return next(filter(None, readers), f"${name}")

    def get_hosts(self, project: Project) -> tuple[str, ...]:
        """Return the names of ``--allow-host`` and of ``[tool.mastra.dev] hosts``.

        :param project: the project as it is saved now.
        :raises ConfigError: when a given host is not a valid host name.
        """
        configured = parse_hosts(get_config(project).dev.hosts, "[tool.mastra.dev] hosts")
        return (*self.allow_hosts, *configured)

    def get_port(self, values: Mapping[str, str]) -> int | None:
        """Return the port from ``--port`` or ``PORT``; ``None`` if neither is set.

        :param values: the app's environment.
        """
        if self.port is not None:
            return parse_port(str(self.port), "--port")
        return parse_port(values["PORT"], "PORT") if values.get("PORT") else None


# The first variable makes logs show all frames. Without the second variable, pydevd prints a
# warning about modules that are frozen into the interpreter.
_DEBUG_ENV = {"MASTRA_TRACEBACKS": "full", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def collect_secrets(values: Mapping[str, str]) -> list[str]:
    """Return the values that come from ``.env`` files, to mask in errors; the longest value first.

    :param values: the app's environment.
    """
    secrets = {value for name, value in values.items() if name not in os.environ}
    return sorted((value for value in secrets if len(value) >= _SHORT), key=len, reverse=True)


def read_entry_source(entry: Path) -> bytes | None:
    """Return the source of the entry file without ``deployer=``.

    The deployer's package may not be installed.

    :param entry: path of the entry file.
    :returns: the source, or ``None`` if there is no deployer or it cannot be removed.
    """
    with contextlib.suppress(MastraError, SyntaxError, ValueError):
        content = entry.read_bytes()
        tree = ast.parse(content)
        deployer = read_deployer(entry, tree)
        return strip_deployer(content, tree, deployer) if deployer else None
    return None


def _format_reader(file: Path, name: str) -> str:
    """Return shell code that reads a variable from a file; empty if the variable is not there."""
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    found = re.search(rf"^((?:export +)?{re.escape(name)}=)([\"']?)", text, re.MULTILINE)
    if found is None:
        return ""
    start, quote = found.groups()
    script = f"s/^{start}{quote}\\([^{quote or ' '}]*\\).*/\\1/p"
    return f"$(sed -n {shlex.quote(script)} {shlex.quote(os.path.relpath(file))})"
