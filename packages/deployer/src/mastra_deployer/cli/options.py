"""Options that several commands have, said once and handed on as one thing."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Report
from mastra_deployer.pipeline.session import Session, open_session
from mastra_deployer.pipeline.targets import SERVER, choose_target
from mastra_deployer.project.discovery import find_project, with_lock

__all__ = (
    "ENV_FILE",
    "TARGET",
    "VERBOSE",
    "Options",
    "build_options",
    "project_options",
    "target_options",
)

Command = Callable[..., Any]

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
# main() looks for it itself, since an error may come before any command is known.
VERBOSE = click.option("-v", "--verbose", is_flag=True, expose_value=False, help="Show tracebacks.")
ENV_FILE = click.option("--env-file", type=_FILE, help="Read variables from this file too.")
_PROJECT = (
    click.option("--dir", "directory", type=_DIRECTORY, default=".", help="Project directory."),
    click.option("--app", default="", help="module:attribute of an ASGI app or Mastra object."),
    click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object."),
    VERBOSE,
)
_SETTINGS = (
    click.option("-s", "--set", "sets", multiple=True, metavar="KEY=VALUE", help="A setting."),
    click.option("--env", default="", help="Use [tool.mastra.targets.TARGET.env.NAME]."),
    ENV_FILE,
)
_BUILD = (
    click.option("--python", default="", help="Interpreter path, or version, to build for."),
    click.option("--platform", default="", help="Machine to build for, as uv names it."),
    click.option("--locked", is_flag=True, help="Fail without a lock that fits the project."),
)
# Where the argument is something else than the target.
TARGET = click.option("-t", "--target", default="", help="Which target; the only one by default.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Which project, what to build for, and how to answer."""

    directory: Path
    app: str = ""
    as_json: bool = False
    python: str = ""
    platform: str = ""
    locked: bool = False
    sets: tuple[str, ...] = ()
    env: str = ""
    env_file: Path | None = None

    def platform_session(self, target: str, report: Report) -> Session:
        """The line for a verb that talks to the platform and needs no sources."""
        return self.session(target, report, resolve=True, sources=False)

    def session(
        self, target: str, report: Report, *, resolve: bool = False, sources: bool = True
    ) -> Session:
        """The line for a target; an empty name lets the project decide.

        :param resolve: whether settings that refer to the environment are looked up.
        :param sources: whether there has to be an application.
        """
        project = find_project(self.directory, self.app, sources=sources)
        if self.locked:
            project = with_lock(project)
        choice = SERVER if target == "server" else choose_target(project, target, self.env)
        return open_session(
            project,
            choice,
            report,
            flags=_pairs(self.sets),
            env_file=self.env_file,
            python=self.python,
            wheels=self.platform,
            resolve=resolve,
        )


def project_options(command: Command) -> Command:
    """``--dir``, ``--app``, ``--json`` and ``-v``, handed on as ``Options``."""
    return _with(command, _PROJECT)


def target_options(command: Command) -> Command:
    """Those of ``project_options``, and ``-s``, ``--env``, ``--env-file``."""
    return _with(command, (*_PROJECT, *_SETTINGS))


def build_options(command: Command) -> Command:
    """Those of ``target_options``, and ``--python``, ``--platform``, ``--locked``."""
    return _with(command, (*_PROJECT, *_BUILD, *_SETTINGS))


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    names = {field.name for field in dataclasses.fields(Options)}

    @functools.wraps(command)
    def packed(**given: Any) -> Any:
        own = {name: given.pop(name) for name in names & given.keys()}
        return command(Options(**own), **given)

    made: Command = packed
    for option in reversed(options):
        made = option(made)
    return made


def _pairs(sets: tuple[str, ...]) -> dict[str, str]:
    for item in sets:
        if "=" not in item:
            raise ConfigError(f"-s {item!r} has no value.", "Write -s key=value.")
    return {key: value for key, _, value in (item.partition("=") for item in sets)}
