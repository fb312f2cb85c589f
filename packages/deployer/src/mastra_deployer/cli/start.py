"""``mastra start``."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from mastra_core.errors import BundleError, ConfigError
from mastra_core.pipeline import MANIFEST, Bundle
from mastra_deployer.cli.options import ENV_FILE, Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.files.atomic_replace import needs_repair, repair_directory
from mastra_deployer.files.build_lock import hold_build_lock
from mastra_deployer.files.directories import OUTPUT_DIRECTORY
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.environment import read_environment
from mastra_deployer.project.interpreters import find_project_interpreter, find_target_interpreter

__all__ = ("start",)


@click.command()
@click.option("--port", type=int, help="Port to bind; default: PORT, or the app's, or 3000.")
@click.option("--host", help="Address to bind; default: HOST, or the app's, or 0.0.0.0.")
@ENV_FILE
@project_options
def start(options: Options, port: int | None, host: str | None) -> None:
    """Serve the bundle in .mastra/.

    The app gets the variables of .env; the bundle does not contain these variables.
    """
    project = find_project(options.directory, options.app, sources=False)
    directory = project.root / OUTPUT_DIRECTORY
    if needs_repair(directory):
        with hold_build_lock(project, Terminal()):
            repair_directory(directory)
    if not (directory / MANIFEST).is_file():
        raise BundleError(f"There is no bundle in {str(directory)!r}.", "Run: mastra build.")
    bundle = Bundle.load(directory)
    interpreter = find_target_interpreter(bundle.manifest.python, find_project_interpreter(project))
    values = read_environment(project, options.env_file)
    if missing := [name for name in bundle.manifest.required if not values.get(name)]:
        raise ConfigError(
            f"Required environment variables are not set: {', '.join(missing)}.",
            "Set them in the environment, in .env, or in the file of --env-file.",
        )
    if port is not None:
        values["PORT"] = str(port)
    if host is not None:
        values["HOST"] = host
    python = interpreter.path if interpreter else sys.executable
    _replace_process(python, str(directory / "index.py"), values)


def _replace_process(python: str, script: str, values: dict[str, str]) -> None:
    """Replace this process, so that the server itself gets signals and sets the exit code."""
    if os.name == "posix":
        os.execve(python, [python, script], values)  # noqa: S606  # no shell is needed
    sys.exit(subprocess.run([python, script], env=values, check=False).returncode)
