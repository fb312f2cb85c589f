"""The options that several commands share, as one object."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mastra_core.errors import ConfigError
from mastra_core.json_repair import repair_text
from mastra_core.pipeline import Project
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.dev.allowed_hosts import parse_hosts
from mastra_deployer.pipeline.open_session import open_session
from mastra_deployer.pipeline.session import Session
from mastra_deployer.pipeline.targets import (
    SERVER,
    TargetChoice,
    choose_server,
    choose_target,
    list_target_names,
)
from mastra_deployer.project.discovery import find_project, require_lock
from mastra_deployer.trust.project_deployers import allow_file, require_trusted_file

__all__ = (
    "ALLOW_HOST",
    "ENV_FILE",
    "TARGET",
    "VERBOSE",
    "CommandGroup",
    "Options",
    "build_options",
    "project_options",
    "target_options",
)

Command = Callable[..., Any]
_MAX_SUMMARY = 1000  # characters: click shortens the help of a command to one line

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
# main() looks for --verbose itself: an error may be raised before the command is parsed.
VERBOSE = click.option("-v", "--verbose", is_flag=True, expose_value=False, help="Show tracebacks.")
ENV_FILE = click.option("--env-file", type=_FILE, help="Read variables from this file too.")
ALLOW_HOST = click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    callback=lambda *values: parse_hosts(values[-1], "--allow-host"),
    help="Accept requests for this host and from its pages; repeatable.",
)
_PROJECT = (
    click.option(
        "--dir", "directory", type=_DIRECTORY, default=".", help="Directory of the project."
    ),
    click.option(
        "--app", default="", help="module:attribute of a Mastra object, or of an ASGI or WSGI app."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    VERBOSE,
)
_SETTINGS = (
    click.option(
        "-s",
        "--set",
        "sets",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set a setting of the target; repeatable.",
    ),
    click.option(
        "--env",
        default="",
        metavar="NAME",
        help="Apply the overlay [tool.mastra.targets.TARGET.env.NAME].",
    ),
    ENV_FILE,
)
_BUILD = (
    click.option(
        "--python", default="", help="Python version to build for, or path of an interpreter."
    ),
    click.option(
        "--platform",
        default="",
        help="Platform to build for, as uv names it, such as x86_64-manylinux_2_28.",
    ),
    click.option("--locked", is_flag=True, help="Fail if there is no up-to-date lock file."),
)
# For commands whose argument is not the target.
TARGET = click.option("-t", "--target", default="", help="The target; default: the only target.")


class CommandGroup(click.Group):
    """A command whose help shows the whole summary of each subcommand, wrapped at spaces."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names and the summaries of the subcommands.

        :param ctx: the context of the command.
        :param formatter: receives the text.
        """
        rows = [
            (name, command.get_short_help_str(_MAX_SUMMARY))
            for name, command in sorted(self.commands.items())
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a command: the project, the platform, and the format of the result.

    :param directory: the directory of the project.
    :param app: ``module:attribute`` of the app; empty to find the app in the project.
    :param as_json: print the result as one JSON object.
    :param python: version to build for, or path of an interpreter; empty for the project's Python.
    :param platform: platform to build for, as uv names it; empty for the target's own platform.
    :param locked: whether a build without an up-to-date lock file fails.
    :param sets: settings as ``KEY=VALUE``.
    :param env: the value of ``--env``, which selects a table of the target's settings; may be
        empty.
    :param env_file: a file with further environment variables.
    """

    directory: Path
    app: str = ""
    as_json: bool = False
    python: str = ""
    platform: str = ""
    locked: bool = False
    sets: tuple[str, ...] = ()
    env: str = ""
    env_file: Path | None = None

    def platform_session(self, target: str, terminal: Terminal, hook: str = "") -> Session:
        """Open the session of a command that uses only the platform, and not the project's sources.

        A command that uses only the platform runs no code of the project, unless the user trusts
        the project's deployer.

        :param target: the name of the target; empty to let the project decide.
        :param terminal: shows progress and asks for consent.
        :param hook: the hook that the command needs, without ``mastra_``; empty for none.
        :raises ConfigError: when the deployer of the target lacks the hook.
        """
        return self.session(
            target,
            terminal,
            hook,
            resolve=True,
            sources=False,
            check_file=require_trusted_file,
        )

    def session(
        self,
        target: str,
        terminal: Terminal,
        hook: str = "",
        *,
        resolve: bool = False,
        sources: bool = True,
        check_file: Callable[[Path], None] = allow_file,
    ) -> Session:
        """Open the session of a command.

        :param target: the name of the target; empty to let the project decide.
        :param terminal: shows progress and asks for consent.
        :param hook: the hook that the command needs, without ``mastra_``; empty for none.
        :param resolve: whether to replace references such as ``Secret.env("X")`` with the values of
            the variables.
        :param sources: whether the project must have an application.
        :param check_file: called with each project file that defines a deployer; raises an error if
            mastra must not run the file.
        """
        project = find_project(self.directory, self.app, sources=sources)
        if self.locked:
            project = require_lock(project)
        _refuse_target_as_id(project, target)
        return open_session(
            project,
            _choose_target(project, target, self.env),
            terminal,
            flags=_parse_pairs(self.sets),
            env_file=self.env_file,
            python=self.python,
            wheels=self.platform,
            hook=hook,
            resolve=resolve,
            check_file=check_file,
            confirm=terminal.confirm_host,
        )


def _choose_target(project: Project, target: str, env: str) -> TargetChoice:
    if target == SERVER.name:
        return choose_server(project, env)
    return choose_target(project, target, env, _format_usage("TARGET"))


def _format_usage(target: str) -> str:
    """Return the command line of the running command, with the name of a target."""
    context = click.get_current_context()
    takes_argument = any(
        param.name == "target" and isinstance(param, click.Argument)
        for param in context.command.params
    )
    words = [word for word in context.command_path.split(" ") if word]
    return " ".join([*words, *([target] if takes_argument else ["--target", target])])


def _refuse_target_as_id(project: Project, target: str) -> None:
    """Raise an error if the ID of a deployment is the name of a target."""
    named = click.get_current_context().params.get("id")
    if named and not target and named in list_target_names(project):
        raise ConfigError(
            f"{named!r} is a target, but this command takes the ID of a deployment.",
            f"Name the target with an option: `{_format_usage(named)}`.",
        )


def project_options(command: Command) -> Command:
    """Add ``--dir``, ``--app``, ``--json`` and ``-v``; the command receives them as ``Options``.

    :param command: a function whose first parameter is an ``Options``.
    """
    return _add_options(command, _PROJECT)


def target_options(command: Command) -> Command:
    """Add the options of ``project_options``, and ``-s``, ``--env``, ``--env-file``.

    :param command: a function whose first parameter is an ``Options``.
    """
    return _add_options(command, (*_PROJECT, *_SETTINGS))


def build_options(command: Command) -> Command:
    """Add the options of ``target_options``, and ``--python``, ``--platform``, ``--locked``.

    :param command: a function whose first parameter is an ``Options``.
    """
    return _add_options(command, (*_PROJECT, *_BUILD, *_SETTINGS))


def _add_options(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    names = {field.name for field in dataclasses.fields(Options)}

    @functools.wraps(command)
    def run_with_options(**arguments: Any) -> Any:
        own = {name: arguments.pop(name) for name in names & arguments.keys()}
        return command(Options(**own), **arguments)

    result: Command = run_with_options
    for option in reversed(options):
        result = option(result)
    return result


def _parse_pairs(sets: tuple[str, ...]) -> dict[str, str]:
    for item in sets:
        if "=" not in item:
            raise ConfigError(f"-s {item!r} has no value.", "Write -s key=value.")
        if repair_text(item) != item:
            raise ConfigError(
                f"-s {item.partition('=')[0]!r} contains bytes that are not UTF-8.",
                "Write the setting in UTF-8.",
            )
    return {key: value for key, _, value in (item.partition("=") for item in sets)}
