"""Find compiled modules of the app that the target's Python cannot import.

A compiler puts the module beside the code, for the Python that runs the compiler. Dependencies have
no such problem, because a build chooses or compiles their wheels for the target.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mastra_core.pipeline import Platform, Problem
from mastra_deployer.files.elf_format import MAGIC

__all__ = ("find_unusable_extensions",)

_EXTENSION = re.compile(r"([^.]+)\.(?:(.+)\.)?(?:so|pyd)")
_VERSION = re.compile(r"(?:cpython-|cp)(\d)(\d+)")
_MACHINES = {"x86_64": 62, "aarch64": 183}  # as in the header of an ELF file
_MACHINE = struct.Struct("<16xHH")  # the type of the file and the machine


def find_unusable_extensions(
    files: Mapping[str, bytes | Path], platform: Platform
) -> tuple[Problem, ...]:
    """Return a warning for each compiled module that only another Python or machine can import.

    A module without a usable file is reported once. A module that has Python code as well is not
    reported.

    :param files: the app's own files that ship, by path relative to the project's root.
    :param platform: the platform of the build.
    """
    usable = {name.removesuffix(".py") for name in files if name.endswith(".py")}
    unusable: dict[str, str] = {}
    for name, content in sorted(files.items()):
        path = PurePosixPath(name)
        if match := _EXTENSION.fullmatch(path.name):
            module = str(path.with_name(match[1]))
            if _is_usable(match[2] or "", _read_start(content), platform):
                usable.add(module)
            else:
                unusable.setdefault(module, name)
    names = (name for module, name in unusable.items() if module not in usable)
    return tuple(_build_problem(name, platform) for name in names)


def _read_start(content: bytes | Path) -> bytes:
    if isinstance(content, bytes):
        return content[: _MACHINE.size]
    with content.open("rb") as file:
        return file.read(_MACHINE.size)


def _is_usable(tag: str, start: bytes, platform: Platform) -> bool:
    """Return whether a compiled module fits the platform, by its name and the start of the file."""
    version = _VERSION.search(tag)
    if version and f"{version[1]}.{version[2]}" != platform.python:
        return False
    is_elf = start.startswith(MAGIC) and len(start) == _MACHINE.size
    if "linux" not in platform.wheels:
        return not is_elf
    return is_elf and _MACHINE.unpack(start)[1] == _MACHINES.get(platform.wheels.partition("-")[0])


def _build_problem(name: str, platform: Platform) -> Problem:
    return Problem(
        message=f"The compiled module {name!r} cannot be imported by Python {platform.python} on "
        f"{platform.wheels}.",
        hint="Compile the module also for that Python. Or move it into a package of its own, and "
        "add the package to the dependencies: a build compiles dependencies for the target's "
        "Python.",
        severity="warning",
        where=name,
    )
