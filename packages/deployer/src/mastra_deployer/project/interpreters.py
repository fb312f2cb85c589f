"""Find two interpreters: the project's Python, and the target's Python.

The project's Python has the project's packages and runs its code. The target's Python compiles
bytecode and starts the bundle for a check. mastra may be installed in another environment (pipx, uv
tool), so mastra's own Python is the last choice in both cases.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Platform, Project
from mastra_deployer.files.home_directory import find_home_directory
from mastra_deployer.project.workspace import find_workspace_root

__all__ = (
    "Interpreter",
    "find_project_interpreter",
    "find_target_interpreter",
    "parse_glibc",
    "probe_interpreter",
)

# The glibc versions that uv's short names stand for.
_GLIBC = {"manylinux2014": 17, "unknown-linux-gnu": 28}

_PROBE = (
    "import json,platform,sys;print(json.dumps([sys.executable,'%d.%d'%sys.version_info[:2],"
    "sys.platform,platform.machine().lower(),platform.libc_ver(),platform.python_version(),"
    "sys.implementation.cache_tag,sys.maxsize>2**32,'free-threading build' in sys.version]))"
)
# The machine of a 32-bit program on a 64-bit kernel.
_NARROW = {"x86_64": "i686", "amd64": "i686", "aarch64": "armv7l", "arm64": "armv7l"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python interpreter and its properties.

    :param path: the path of the executable.
    :param python: major and minor version.
    :param wheels: the platform whose wheels the interpreter can install, in uv's notation.
    :param full_version: the version with the patch release.
    :param cache_tag: the cache tag of its bytecode (``cpython-312``).
    :param glibc: minor version of its glibc (36 for 2.36); 0 for another C library.
    :param is_free_threaded: whether it is a free-threading build, whose compiled wheels other
        Pythons do not load.
    """

    path: str
    python: str
    wheels: str
    full_version: str
    cache_tag: str
    glibc: int = 0
    is_free_threaded: bool = False

    @property
    def platform(self) -> Platform:
        """The platform that a build for this interpreter has."""
        return Platform(python=self.python, wheels=self.wheels)

    @property
    def machine(self) -> str:
        """The machine as text, with the version of its glibc."""
        return self.wheels + (f" with glibc 2.{self.glibc}" if self.glibc else "")

    def can_run(self, wheels: str) -> bool:
        """Return whether this interpreter can use wheels of a platform.

        The wheels may need an older glibc than the machine has, but not a newer glibc.

        :param wheels: the platform, in uv's notation.
        """
        if wheels == self.wheels:
            return True
        is_same_machine = wheels.partition("-")[0] == self.wheels.partition("-")[0]
        return is_same_machine and 0 < parse_glibc(wheels) <= self.glibc


@functools.cache
def probe_interpreter(path: str) -> Interpreter | None:
    """Return the interpreter at ``path``; ``None`` if it does not run.

    :param path: the path of the executable.
    """
    try:
        result = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE], capture_output=True, timeout=20, check=True
        )
        facts = json.loads(result.stdout)
        executable, python, system, machine, libc, full, tag, is_wide, is_free_threaded = facts
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(
        path=executable or path,
        python=python,
        wheels=_to_uv_platform(
            system, machine if is_wide else _NARROW.get(machine, machine), libc[0]
        ),
        full_version=full,
        cache_tag=tag,
        glibc=_parse_minor(libc) if libc[0] == "glibc" else 0,
        is_free_threaded=is_free_threaded,
    )


def parse_glibc(wheels: str) -> int:
    """Return the minor version of a platform's glibc, such as 28 for 2.28.

    :param wheels: the platform, in uv's notation.
    :returns: the minor version; 0 for a platform without glibc.
    """
    rest = wheels.partition("-")[2]
    match = re.fullmatch(r"manylinux_2_(\d+)", rest)
    return int(match[1]) if match else _GLIBC.get(rest, 0)


def find_project_interpreter(project: Project) -> Interpreter:
    """Return the interpreter of the project's environment.

    The first existing environment is used: ``$VIRTUAL_ENV``, the project's ``.venv``, or the
    ``.venv`` of its workspace. Without an environment, the result is the interpreter that runs
    mastra.

    :param project: the project.
    :raises ConfigError: when the environment's Python does not run.
    """
    home = os.environ.get("VIRTUAL_ENV")
    candidates = [Path(home)] if home else []
    candidates += [project.root / ".venv", find_workspace_root(project.root) / ".venv"]
    for directory in candidates:
        path = _get_python_path(directory)
        if path.exists():
            return probe_interpreter(str(path)) or _raise_broken(path)
    return probe_interpreter(sys.executable) or _raise_broken(Path(sys.executable))


def find_target_interpreter(
    python: str, default: Interpreter, own_path: str = ""
) -> Interpreter | None:
    """Find a Python of a given version on this machine; return ``None`` if there is none.

    :param python: major and minor version.
    :param default: the interpreter to prefer, if its version fits.
    :param own_path: the path of ``--python``, whose version must fit; empty for none.
    :raises ConfigError: if the requested interpreter does not run or has another version.
    """
    if own_path:
        interpreter = probe_interpreter(own_path)
        if interpreter is None:
            raise ConfigError(
                f"{own_path!r} is not a working Python interpreter.", "Pass --python PATH."
            )
        if interpreter.python != python:
            raise ConfigError(
                f"{own_path!r} is Python {interpreter.python}, but the target needs {python}.",
                f"Pass a Python {python}, or omit --python.",
            )
        return interpreter
    if default.python == python:
        return default
    for path in _iter_candidates(python):
        interpreter = probe_interpreter(path)
        if interpreter and interpreter.python == python and not interpreter.is_free_threaded:
            return interpreter
    return None


def _iter_candidates(python: str) -> Iterator[str]:
    """Yield paths of possible interpreters; paths that are found fastest come first.

    pyenv's shims are skipped, because a shim works only if pyenv has a chosen version.
    """
    for pattern in (f"versions/{python}.*/bin/python", f"versions/{python}/bin/python"):
        yield from _list_files("PYENV_ROOT", ".pyenv", pattern)
    folders = [part for part in os.environ.get("PATH", "").split(os.pathsep) if "shims" not in part]
    if path := shutil.which(f"python{python}", path=os.pathsep.join(folders)):
        yield path
    pattern = f"uv/python/cpython-{python}.*/bin/python"
    yield from _list_files("XDG_DATA_HOME", ".local/share", pattern)
    yield from _iter_windows_candidates(python)


def _list_files(variable: str, default: str, pattern: str) -> list[str]:
    """List files in the directory that a variable names, or in ``default`` in the user's home."""
    home, configured = find_home_directory(), os.environ.get(variable)
    directory = Path(configured) if configured else home and home / default
    found = directory.glob(pattern) if directory else ()
    return [str(path) for path in sorted(found, reverse=True)]


def _iter_windows_candidates(python: str) -> Iterator[str]:
    """Yield the paths at which python.org, uv and pyenv-win install Python on Windows."""
    places = (
        ("LOCALAPPDATA", f"Programs/Python/Python{python.replace('.', '')}/python.exe"),
        ("APPDATA", f"uv/python/cpython-{python}.*/python.exe"),
        ("USERPROFILE", f".pyenv/pyenv-win/versions/{python}.*/python.exe"),
    )
    for variable, pattern in places:
        if directory := os.environ.get(variable):
            yield from map(str, sorted(Path(directory).glob(pattern), reverse=True))


def _get_python_path(directory: Path) -> Path:
    return directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _raise_broken(path: Path) -> Interpreter:
    raise ConfigError(
        f"The Python of the project's environment, {str(path)!r}, does not run.",
        "Recreate the environment, or activate another one.",
    )


def _parse_minor(libc: list[str]) -> int:
    minor = libc[1].split(".")[1:2]
    return int(minor[0]) if minor and minor[0].isdecimal() else 0


def _to_uv_platform(system: str, machine: str, libc: str) -> str:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if system == "darwin":
        return f"{machine}-apple-darwin"
    if system == "win32":
        return f"{machine}-pc-windows-msvc"
    # 2_28 is the oldest glibc that current wheels still support; musl reports no libc version.
    return f"{machine}-manylinux_2_28" if libc == "glibc" else f"{machine}-unknown-linux-musl"
