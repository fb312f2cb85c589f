"""The tools that build: interpreters, wheels, environments, and Vercel's command line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from environment import (
    Environment,
    clean_environ,
    create_environment,
    find_uv,
    prepare_wheels,
)
from node import find_node_directory
from process import MeasurementError, time_command

from vercel import vercel_cli

PYTHON = "3.12"


class Tools(NamedTuple):
    """Everything that the builds of both sides use.

    :param python: the interpreter that functions run on.
    :param vercel: the start of Vercel's command line.
    :param path: PATH of the builds.
    :param wheels: this project's wheels by package name.
    :param environments: environments with `mastra` by app name.
    :param scratch: a directory that is removed afterwards.
    :param api: URL that Vercel's command line asks for the account.
    """

    python: Path
    vercel: tuple[Path, ...]
    path: str
    wheels: Mapping[str, Path]
    environments: Mapping[str, Environment]
    scratch: Path
    api: str


def prepare(
    scratch: Path, api: str, names: Sequence[str], *, wheels: Path | None, quick: bool
) -> Tools:
    """Prepare the wheels, create an environment for each app, install Vercel's command line.

    :param names: the apps.
    :param wheels: a directory of wheels to use instead of building them.
    :param quick: do not compile the environments.
    :raises MeasurementError: when there is no such Python, or no Node.
    """
    own = prepare_wheels(scratch / "wheels", wheels)
    environments = {
        name: _create_environment(scratch / f"tool-{name}", name, own, compiled=not quick)
        for name in names
    }
    python = _find_python(environments[names[0]], scratch)
    shims = find_node_directory()
    # Vercel's tool runs the uv that this project runs.
    directories = (python.parent, Path(find_uv()).parent, shims, os.environ.get("PATH", ""))
    return Tools(
        python=python,
        vercel=(shims / "node", vercel_cli.install(shims)),
        path=os.pathsep.join(map(str, directories)),
        wheels=own,
        environments=environments,
        scratch=scratch,
        api=api,
    )


def _find_python(environment: Environment, scratch: Path) -> Path:
    """Return the interpreter itself: behind pyenv's shim, uv and Vercel's tool find another one."""
    output = scratch / "python.txt"
    code = f"import sys, pathlib, mastra_deployer.kit as kit; found = kit.find_python({PYTHON!r})"
    write = "pathlib.Path(sys.argv[1]).write_text(found or '')"
    command = [environment.python, "-c", f"{code}; {write}", output]
    time_command(command, cwd=scratch, env=clean_environ())
    if not output.read_text():
        raise MeasurementError(f"there is no Python {PYTHON} here")
    return Path(output.read_text()).resolve()


def _create_environment(
    home: Path, name: str, wheels: Mapping[str, Path], *, compiled: bool
) -> Environment:
    """Create the environment of a user: mastra with its deployers, and what the app needs."""
    deployers = [str(wheels["mastra_deployer"]), str(wheels["mastra_deployer_vercel"])]
    extra, packages = ("[agents]", ["pydantic-ai-slim[openai]"]) if name == "agents" else ("", [])
    own = [f"{wheels['mastra_core']}{extra}", str(wheels["mastra_server"]), *deployers]
    return create_environment(home, [*own, *packages], compiled=compiled)
