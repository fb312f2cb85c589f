"""Which Python: the project's, to run its code; the target's, for bytecode and the boot check.

mastra itself may be installed elsewhere (pipx, uv tool), so its own Python is only the last
resort for either.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Platform, Project

__all__ = ("Interpreter", "probe", "project_interpreter", "target_interpreter")

_PROBE = (
    "import json,platform,sys;print(json.dumps([sys.executable,'%d.%d'%sys.version_info[:2],"
    "sys.platform,platform.machine().lower(),platform.libc_ver()[0],platform.python_version(),"
    "sys.implementation.cache_tag]))"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python that was asked what it is.

    :param python: major and minor version.
    :param wheels: the platform whose wheels it takes, in uv's words.
    :param tag: of its bytecode (``cpython-312``).
    """

    path: str
    python: str
    wheels: str
    full: str
    tag: str

    @property
    def platform(self) -> Platform:
        """What a build for it is staged for."""
        return Platform(python=self.python, wheels=self.wheels)


@functools.cache
def probe(path: str) -> Interpreter | None:
    """What the Python at ``path`` is, or ``None`` when it does not run."""
    try:
        done = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE], capture_output=True, timeout=20, check=True
        )
        executable, python, system, machine, libc, full, tag = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    wheels = _wheels(system, machine, libc)
    return Interpreter(path=executable or path, python=python, wheels=wheels, full=full, tag=tag)


def project_interpreter(project: Project) -> Interpreter:
    """The Python that has the project's dependencies.

    ``$VIRTUAL_ENV``, else the project's ``.venv``, else the one that runs mastra.

    :raises ConfigError: when the environment's Python does not run.
    """
    home = os.environ.get("VIRTUAL_ENV")
    candidates = [Path(home)] if home else []
    candidates.append(project.root / ".venv")
    for directory in candidates:
        path = _python_in(directory)
        if path.exists():
            return probe(str(path)) or _broken(path)
    return probe(sys.executable) or _broken(Path(sys.executable))


def target_interpreter(python: str, preferred: Interpreter, named: str = "") -> Interpreter | None:
    """A Python of version ``python`` on this machine, or ``None``.

    :param preferred: taken where it fits.
    :param named: ``--python PATH``; must fit.
    :raises ConfigError: when the named one does not run or is of another version.
    """
    if named:
        found = probe(named)
        if found is None:
            raise ConfigError(f"{named!r} is no Python that runs.", "Pass --python PATH.")
        if found.python != python:
            raise ConfigError(
                f"{named!r} is Python {found.python}, and the target needs {python}.",
                f"Pass a Python {python}, or leave --python out.",
            )
        return found
    if preferred.python == python:
        return preferred
    for path in _installed(python):
        found = probe(path)
        if found is not None and found.python == python:
            return found
    return None


def _installed(python: str) -> Iterator[str]:
    """Candidates, the cheapest look first. pyenv's shims only work where a version is chosen."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for pattern in (f"versions/{python}.*/bin/python", f"versions/{python}/bin/python"):
        yield from map(str, sorted(root.glob(pattern), reverse=True))
    folders = [part for part in os.environ.get("PATH", "").split(os.pathsep) if "shims" not in part]
    if path := shutil.which(f"python{python}", path=os.pathsep.join(folders)):
        yield path
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    yield from map(str, sorted(data.glob(f"uv/python/cpython-{python}.*/bin/python")))


def _python_in(directory: Path) -> Path:
    return directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _broken(path: Path) -> Interpreter:
    raise ConfigError(
        f"The Python of the project's environment, {str(path)!r}, does not run.",
        "Make the environment again, or activate another.",
    )


def _wheels(system: str, machine: str, libc: str) -> str:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if system == "darwin":
        return f"{machine}-apple-darwin"
    if system == "win32":
        return f"{machine}-pc-windows-msvc"
    # 2_28 is the oldest glibc that current wheels still support; musl reports no libc version.
    return f"{machine}-manylinux_2_28" if libc == "glibc" else f"{machine}-unknown-linux-musl"
