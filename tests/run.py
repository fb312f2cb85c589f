"""Runs the tests on built wheels: `hatch run test [PYTEST ARGUMENTS]`.

Builds the wheels, installs them into a fresh environment, compiles that, and runs pytest there,
so that what is tested is what users install. `MASTRA_TEST_WHEELS=DIR` takes wheels made before.
"""

from __future__ import annotations

import os
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
    "packages/deployer-vercel",
    "examples/mastra-deployer-acme",
)
EXTRAS = {"mastra_core": "[agents,mcp,telemetry]", "mastra_server": "[auth,limits,metrics,serve]"}


def main(arguments: list[str]) -> int:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mastra-tests"
    environment = cache / f"venv-{sys.version_info[0]}.{sys.version_info[1]}-{os.getpid()}"
    given = os.environ.get("MASTRA_TEST_WHEELS")
    wheels = Path(given) if given else environment / "wheels"
    try:
        uv("venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
        if not given:
            build(wheels)
        python = install(environment, wheels)
        return test(python, wheels, cache, arguments)
    finally:
        import shutil

        shutil.rmtree(environment, ignore_errors=True)


def build(wheels: Path) -> None:
    with ThreadPoolExecutor() as pool:
        made = [
            pool.submit(uv, "build", "--quiet", "--wheel", "--out-dir", str(wheels), source)
            for source in SOURCES
        ]
        for item in made:
            item.result()


def install(environment: Path, wheels: Path) -> str:
    python = str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    found = [f"{path}{EXTRAS.get(path.name.split('-')[0], '')}" for path in wheels.glob("*.whl")]
    needs = ["--requirements", "tests/requirements.txt", *found]
    uv("pip", "install", "--quiet", "--compile-bytecode", "--python", python, *needs)
    return python


def test(python: str, wheels: Path, cache: Path, arguments: list[str]) -> int:
    environment = {
        **os.environ,
        "MASTRA_TEST_WHEELS": str(wheels),
        "MASTRA_CACHE_DIR": str(cache / "mastra"),
    }
    # A project's environment must not leak in, and without bytecode every start is slow.
    for name in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"):
        environment.pop(name, None)
    # A file stays in one process, so that what it builds once is built once. Much of the time goes
    # in waiting: on two cores three workers need three quarters of it, four make tests of time fail.
    # In our order (conftest.py), not that of xdist: a long test that is alone in its file came last.
    shared = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
    command = [python, "-m", "pytest", *shared, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def uv(*arguments: str) -> None:
    subprocess.run([find_uv_bin(), *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
