"""Read the version and the machine of an interpreter in a directory, without running it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_deployer.kit.runtimes.elf_file import ElfFile, read_elf_file

__all__ = ("BundledPython", "find_executable", "read_interpreter")

_EXECUTABLE = re.compile(r"python(3\.\d+)")
_FULL_VERSION = re.compile(r'#define\s+PY_VERSION\s+"([^"]+)"')
_LIBRARIES = ("lib", "lib64")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BundledPython:
    """An interpreter that a bundle contains.

    :param path: path of the executable, with symbolic links resolved.
    :param version: version with two numbers, ``3.12``.
    :param full_version: version with three numbers, ``3.12.1``; only two numbers if the patch
        release is unknown.
    :param machine: machine name, ``x86_64``.
    :param libc: name of the C library, ``glibc``; empty for a static interpreter.
    :param library: directory of the standard library.
    """

    path: Path
    version: str
    full_version: str
    machine: str
    libc: str
    library: Path

    @property
    def platlibdir(self) -> str:
        """The name of the standard library's parent directory: ``lib`` or ``lib64``."""
        return self.library.parent.name


def find_executable(tree: Path, version: str) -> Path | None:
    """Return the executable of a version in a directory, or ``None``.

    :param tree: the directory. The interpreter may be in a subdirectory at depth one or two, as in
        archives of python-build-standalone.
    :param version: version with two numbers, ``3.12``.
    """
    paths = _iter_executables(tree)
    return next((path for path in paths if path.name == f"python{version}"), None)


def read_interpreter(tree: Path, version: str, machine: str, source: str) -> BundledPython:
    """Read the interpreter of a directory.

    :param tree: the directory; see ``find_executable``.
    :param version: the version that the interpreter must have, ``3.12``.
    :param machine: the machine that the interpreter must be for, ``x86_64``.
    :param source: the setting that names the directory; errors name the setting.
    :raises ConfigError: when there is no interpreter, or when the interpreter has another version,
        is for another machine or for musl, or has no standard library.
    """
    name = f"interpreter={source!r}"
    executable = find_executable(tree, version)
    if executable is None:
        raise _build_version_error(tree, version, name)
    executable = executable.resolve()
    program = _read_program(executable, machine, name)
    directories = (executable.parent.parent / each / f"python{version}" for each in _LIBRARIES)
    library = next((each for each in directories if (each / "os.py").is_file()), None)
    if library is None:
        raise ConfigError(
            f"{name} has no standard library, because lib/python{version}/os.py was not found.",
            "Pass the whole directory of a Python, such as a directory of python-build-standalone.",
        )
    return BundledPython(
        path=executable,
        version=version,
        full_version=_read_full_version(executable.parent.parent, version),
        machine=machine,
        libc=program.libc,
        library=library,
    )


def _iter_executables(tree: Path) -> Iterator[Path]:
    # Archives of python-build-standalone have bin/ at the top, in python/, or in python/install/.
    for up in ("", "*/", "*/*/"):
        for path in sorted(tree.glob(f"{up}bin/python3.*")):
            if _EXECUTABLE.fullmatch(path.name):
                yield path


def _build_version_error(tree: Path, version: str, name: str) -> ConfigError:
    versions = sorted({path.name.removeprefix("python") for path in _iter_executables(tree)})
    if versions:
        return ConfigError(
            f"{name} is Python {', '.join(versions)}, but the bundle is for Python {version}.",
            f"Pass a Python {version}. Or build the bundle for another version: --python "
            f"{versions[-1]}.",
        )
    return ConfigError(
        f"{name} contains no Python, because bin/python{version} was not found.",
        "Pass a Python for Linux, such as python-build-standalone.",
    )


def _read_program(executable: Path, machine: str, name: str) -> ElfFile:
    """Return the properties of an executable; raise an error if it does not fit the bundle."""
    program = read_elf_file(executable)
    if program is None:
        raise ConfigError(
            f"{name} is not a Python for Linux.",
            f"Pass an interpreter for Linux on {machine}, such as python-build-standalone.",
        )
    if program.machine != machine:
        raise ConfigError(
            f"{name} is for {program.machine}, but the bundle is for {machine}.",
            f"Pass an interpreter for {machine}.",
        )
    if program.libc == "musl":
        raise ConfigError(
            f"{name} is built for musl, but the dependencies in the bundle are built for glibc.",
            "Pass an interpreter for glibc, such as python-build-standalone for linux-gnu.",
        )
    return program


def _read_full_version(prefix: Path, version: str) -> str:
    """Return the full version in an interpreter's headers; without headers, the short version."""
    try:
        text = (prefix / f"include/python{version}/patchlevel.h").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return version
    match = _FULL_VERSION.search(text)
    return match[1] if match else version
