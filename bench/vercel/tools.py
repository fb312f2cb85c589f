"""What is needed to build: interpreters, wheels, environments, and Vercel's command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import environment
import node
from environment import Environment, create, variables
from places import ROOT
from process import Failed, run

from vercel.theirs import command_line

PYTHON = "3.12"


class Tools(NamedTuple):
    """What builds: interpreters, Vercel's command line, our wheels; and what its tool asks."""

    python: Path
    vercel: tuple[Path, ...]
    path: str
    wheels: Mapping[str, Path]
    environments: Mapping[str, Environment]
    scratch: Path
    api: str


def prepare(scratch: Path, api: str) -> Tools:
    """Builds the wheels, makes the environments, fetches Vercel's command line.

    :raises Failed: when there is no such Python, or no Node.
    """
    made = environment.wheels(scratch / "wheels")
    source = str(ROOT / "packages" / "deployer-vercel")
    environment.uv("build", "--quiet", "--wheel", "--out-dir", str(scratch / "wheels"), source)
    made |= {_package(file): file for file in (scratch / "wheels").glob("mastra_deployer_v*.whl")}
    plain, agents = (
        _environment(scratch / "tool", made),
        _environment(scratch / "agents", made, "[agents]", "pydantic-ai-slim[openai]"),
    )
    shims, python = node.directory(), _python(plain, scratch)
    uv = Path(environment._uv()).parent  # noqa: SLF001  # Vercel's tool runs the same uv
    path = os.pathsep.join(map(str, (python.parent, uv, shims, os.environ.get("PATH", ""))))
    return Tools(
        python=python,
        vercel=(shims / "node", command_line(shims)),
        path=path,
        wheels=made,
        environments={"plain": plain, "agents": agents},
        scratch=scratch,
        api=api,
    )


def _package(wheel: Path) -> str:
    return wheel.name.partition("-")[0]


def _python(made: Environment, scratch: Path) -> Path:
    """The interpreter itself: behind a shim of pyenv, uv and Vercel's tool find another."""
    answer = scratch / "python.txt"
    code = f"import sys, pathlib, mastra_deployer.kit as kit; found = kit.find_python({PYTHON!r})"
    write = "pathlib.Path(sys.argv[1]).write_text(found or '')"
    run([made.python, "-c", f"{code}; {write}", answer], cwd=scratch, env=variables())
    if not answer.read_text():
        raise Failed(f"there is no Python {PYTHON} here")
    return Path(answer.read_text()).resolve()


def _environment(
    home: Path, wheels: Mapping[str, Path], extra: str = "", *more: str
) -> Environment:
    """What a user of ours has installed, compiled."""
    deployers = [str(wheels["mastra_deployer"]), str(wheels["mastra_deployer_vercel"])]
    core = f"{wheels['mastra_core']}{extra}"
    return create(home, [core, str(wheels["mastra_server"]), *deployers, *more])
