"""Python environments for measurements: packages installed from wheels, bytecode compiled."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from paths import ROOT, cache_directory
from process import MeasurementError, time_command

PACKAGES = ("core", "server", "deployer", "deployer-vercel")
_DROPPED = ("VIRTUAL_ENV", "NODE_ENV", "NODE_OPTIONS", "PORT", "HOST", "WEB_CONCURRENCY")
_DROPPED_PREFIXES = ("PYTHON", "MASTRA_", "OTEL_", "OPENAI_", "ANTHROPIC_", "BENCH_")


@dataclasses.dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    home: Path

    @property
    def python(self) -> Path:
        return self.home / "bin" / "python"

    @property
    def mastra(self) -> Path:
        return self.home / "bin" / "mastra"


def clean_environ(**extra: str) -> dict[str, str]:
    """Return environment variables without those that change how Python, Node or mastra behave.

    :param extra: variables to add.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    own = {"UV_CACHE_DIR": str(cache_directory() / "uv"), "UV_PYTHON_DOWNLOADS": "never"}
    return {
        **inherited,
        **own,
        "MASTRA_TELEMETRY_DISABLED": "1",
        **extra,
        **_exclude_loopback(inherited),
    }


def _exclude_loopback(environ: dict[str, str]) -> dict[str, str]:
    """Return the variables that keep loopback requests away from a proxy."""
    loopback = "127.0.0.1,localhost"
    names = ("NO_PROXY", "no_proxy")
    return {name: ",".join(filter(None, (environ.get(name), loopback))) for name in names}


def prepare_wheels(directory: Path, built: Path | None = None) -> dict[str, Path]:
    """Build the packages of this checkout and return their wheels by package name.

    :param directory: where the wheels are put.
    :param built: a directory of wheels to copy instead.
    """
    if built is not None:
        shutil.copytree(built, directory, ignore=shutil.ignore_patterns(".*"))
    for name in PACKAGES if built is None else ():
        source = str(ROOT / "packages" / name)
        run_uv("build", "--quiet", "--wheel", "--out-dir", str(directory), source)
    return {path.name.partition("-")[0]: path for path in directory.glob("*.whl")}


def create_environment(
    home: Path, requirements: Sequence[str] = (), *, compiled: bool = True
) -> Environment:
    """Create a virtual environment with these requirements.

    :param compiled: compile all modules now, so that no measurement includes it.
    """
    environment = Environment(home)
    run_uv("venv", "--quiet", "--python", sys.executable, str(home))
    if requirements:
        options = ["--quiet", "--python", str(environment.python)]
        options += ["--compile-bytecode"] if compiled else []
        run_uv("pip", "install", *options, *requirements)
    return environment


def run_uv(*arguments: str) -> None:
    time_command([find_uv(), *arguments], cwd=ROOT, env=clean_environ())


def find_uv() -> str:
    """Return the path of uv: the installed package's, or the one on PATH.

    :raises MeasurementError: when there is none.
    """
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except ImportError:
        if path := shutil.which("uv"):
            return path
    raise MeasurementError("uv is missing: pip install uv")
