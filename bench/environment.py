"""Python environments to measure in: the product installed from wheels, and compiled."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from places import ROOT, cache
from process import Failed, run

PACKAGES = ("core", "server", "deployer")
_STRANGERS = ("VIRTUAL_ENV", "NODE_ENV", "NODE_OPTIONS", "PORT", "HOST", "WEB_CONCURRENCY")
_FAMILIES = ("PYTHON", "MASTRA_", "OTEL_", "OPENAI_", "ANTHROPIC_", "BENCH_")


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


def variables(**more: str) -> dict[str, str]:
    """What is measured sees nothing that changes how Python, Node or mastra behave."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _STRANGERS and not name.startswith(_FAMILIES)
    }
    own = {"UV_CACHE_DIR": str(cache() / "uv"), "UV_PYTHON_DOWNLOADS": "never"}
    local = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    return {**kept, **own, "MASTRA_TELEMETRY_DISABLED": "1", **more, **_proxies(kept, local)}


def _proxies(kept: dict[str, str], local: dict[str, str]) -> dict[str, str]:
    return {name: ",".join(filter(None, (kept.get(name), own))) for name, own in local.items()}


def wheels(directory: Path) -> dict[str, Path]:
    """Wheels of our packages by name, built from the sources of this checkout."""
    for name in PACKAGES:
        source = ROOT / "packages" / name
        uv("build", "--quiet", "--wheel", "--out-dir", str(directory), str(source))
    return {path.name.partition("-")[0]: path for path in directory.glob("*.whl")}


def create(home: Path, requirements: Sequence[str] = ()) -> Environment:
    """A fresh environment with these, compiled."""
    made = Environment(home)
    uv("venv", "--quiet", "--python", sys.executable, str(home))
    if requirements:
        install = ("pip", "install", "--quiet", "--compile-bytecode", "--python", str(made.python))
        uv(*install, *requirements)
    return made


def uv(*arguments: str) -> None:
    run([_uv(), *arguments], cwd=ROOT, env=variables())


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except ImportError:
        if found := shutil.which("uv"):
            return found
    raise Failed("uv is missing: pip install uv")
