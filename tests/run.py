"""Run the tests on built wheels: `hatch run test [--full] [--lowest] [PYTEST ARGUMENTS]`.

Builds the wheels, installs them into a fresh environment, compiles bytecode, and runs pytest there,
so that the tests see what users install. `MASTRA_TEST_WHEELS=DIR` names wheels to use instead.
Tests marked `full` run only with `--full`, or where `-m` selects them. `--lowest` installs the lowest
versions that the packages and the tests allow, instead of the newest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (
    "packages/core",
    "packages/server",
    "packages/deployer",
    "packages/deployer-oci",
    "packages/deployer-cloudflare",
    "packages/deployer-netlify",
    "packages/deployer-vercel",
    "examples/mastra-deployer-acme",
)
EXTRAS = {
    "mastra_core": ("agents", "mcp", "postgres", "telemetry"),
    "mastra_server": ("auth", "limits", "metrics", "serve"),
    "mastra_deployer": ("websocket",),
}


def main(arguments: list[str]) -> int:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mastra-tests"
    environment = cache / f"venv-{sys.version_info[0]}.{sys.version_info[1]}-{os.getpid()}"
    existing = os.environ.get("MASTRA_TEST_WHEELS")
    wheels = Path(existing) if existing else environment / "wheels"
    try:
        run_uv("venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
        if not existing:
            build(wheels)
        options = list_lowest_options() if "--lowest" in arguments else []
        python = install(environment, wheels, options)
        arguments = [argument for argument in arguments if argument != "--lowest"]
        return run_pytest(python, wheels, cache, select(arguments))
    finally:
        shutil.rmtree(environment, ignore_errors=True)


def select(arguments: list[str]) -> list[str]:
    """Leave out tests marked `full`, unless `--full` is given or `-m` selects."""
    if "--full" in arguments:
        return [argument for argument in arguments if argument != "--full"]
    if any(argument.startswith("-m") for argument in arguments):
        return arguments
    return ["-m", "not full", *arguments]


def build(wheels: Path) -> None:
    with ThreadPoolExecutor() as pool:
        builds = [
            pool.submit(run_uv, "build", "--quiet", "--wheel", "--out-dir", str(wheels), source)
            for source in SOURCES
        ]
        for result in builds:
            result.result()


def list_lowest_options() -> list[str]:
    """Return options with which uv installs the lowest versions that the requirements allow.

    uv does so only for direct requirements, which the requirements of a wheel are not. Each
    `pyproject.toml` is therefore named too.
    """
    projects = [f"--requirements={source}/pyproject.toml" for source in SOURCES]
    extras = [f"--extra={extra}" for names in EXTRAS.values() for extra in names]
    return ["--resolution=lowest-direct", *projects, *extras]


def install(environment: Path, wheels: Path, options: list[str]) -> str:
    """Install the wheels and the tests' requirements; return the path of the interpreter."""
    python = str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    packages = [
        f"{path}[{','.join(EXTRAS.get(path.name.split('-')[0], ()))}]"
        for path in wheels.glob("*.whl")
    ]
    requirements = ["--requirements", "tests/requirements.txt", *packages]
    command = ["pip", "install", "--quiet", "--compile-bytecode", "--python", python]
    run_uv(*command, *options, *requirements)
    return python


def run_pytest(python: str, wheels: Path, cache: Path, arguments: list[str]) -> int:
    environment = {
        **os.environ,
        "MASTRA_TEST_WHEELS": str(wheels),
        "MASTRA_CACHE_DIR": str(cache / "mastra"),
    }
    # A project's environment must not leak in, and without bytecode every start is slow.
    for name in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"):
        environment.pop(name, None)
    # `loadfile` keeps a file in one worker, so that its module fixtures are made once. Tests wait
    # much of their time: three workers leave two cores idle for a fifth of it. Tests that measure
    # time pass at a load of ten. The order is conftest.py's, so that no long file comes last.
    options = ["-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
    command = [python, "-m", "pytest", *options, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def run_uv(*arguments: str) -> None:
    subprocess.run([find_uv_bin(), *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
