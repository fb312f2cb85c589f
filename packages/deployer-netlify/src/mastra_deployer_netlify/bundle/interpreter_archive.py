"""Write the part of a function's zip that all apps share: Python and its libraries."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mastra_core.errors import BundleError
from mastra_core.pipeline import Build, Report
from mastra_deployer.kit import (
    ArchiveEntry,
    BundledPython,
    compute_interpreter_key,
    get_cache_directory,
    get_interpreter,
    iter_python_entries,
    iter_shared_libraries,
    list_extension_modules,
    strip_entries,
    temporary_directory,
    write_zip,
)
from mastra_deployer_netlify.bundle.function_limits import measure_function

__all__ = ("HOME", "LIBRARIES", "Interpreter", "write_interpreter")

HOME = "python"
LIBRARIES = "lib"
_MACHINE = "x86_64"  # Netlify's functions run only on this machine type
_VERSION = 6  # of the archive that this module writes
_GLIBC = "2.34"  # of Amazon Linux 2023, which runs Node 20 and newer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The paths of Python's parts in the function.

    :param python: path of the executable.
    :param loader: path of the interpreter's dynamic loader; empty if the function uses Netlify's
        loader, or if the interpreter is static.
    :param size: bytes of all files of the interpreter, unzipped.
    """

    python: str
    loader: str
    size: int


def write_interpreter(
    build: Build, source: str, file: Path, report: Report, *, bytecode: bool
) -> Interpreter:
    """Write a zip with the interpreter. The deployer appends the app to the zip later.

    :param build: the build whose app the interpreter runs.
    :param source: the setting ``interpreter``.
    :param file: path of the zip to write.
    :param report: receives progress.
    :param bytecode: whether the standard library gets bytecode.
    :returns: the paths of the interpreter's parts.
    :raises BundleError: when there is no suitable interpreter.
    :raises ConfigError: when the setting names no suitable interpreter.
    """
    platform, strip = build.platform, build.manifest.stripped
    python = get_interpreter(
        platform.python, _MACHINE, report, source=source, preferred_path=platform.interpreter
    )
    libraries = list(_iter_libraries(python))
    loaders = [entry for entry in libraries if "/ld-" in entry.path]
    for loader in loaders:
        _check_loader(loader)
    modules = _select_modules(build) if bytecode else frozenset()
    options = (_VERSION, strip, bytecode, modules and sorted(modules))
    key = compute_interpreter_key(python, libraries, *options)
    cache = get_cache_directory("netlify-python") / f"{key}.zip"
    if not cache.is_file():
        _write_cache(python, libraries, cache, modules, bytecode=bytecode, strip=strip)
    shutil.copyfile(cache, file)
    return Interpreter(
        python=f"{HOME}/bin/python{python.version}",
        loader=loaders[0].path if loaders else "",
        size=measure_function(file)[1],
    )


def _check_loader(entry: ArchiveEntry) -> None:
    """Refuse a dynamic loader without ``--argv0``, which Python needs to find its files."""
    if entry.source and b"--argv0" not in entry.source.read_bytes():
        raise BundleError(
            f"The C library of this machine ({entry.source}) is older than glibc 2.33, so it "
            "cannot start Python in a Netlify function.",
            "Bundle on a newer system, such as Debian 12, Ubuntu 22.04 or AlmaLinux 9.",
        )


def _iter_libraries(python: BundledPython) -> Iterator[ArchiveEntry]:
    """Yield the loader and the libraries, all in one directory.

    A machine whose platform differs from the function's has no loader for the function. Without a
    loader, the function uses Netlify's C library, and the interpreter finds the other libraries in
    its own directory.
    """
    modules = list_extension_modules(python)
    entries = list(iter_shared_libraries(python.path, modules, platform_glibc=_GLIBC))
    has_loader = any("/ld-" in entry.path for entry in entries)
    directory = LIBRARIES if has_loader else f"{HOME}/{LIBRARIES}"
    for entry in entries:
        name = PurePosixPath(entry.path).name
        yield dataclasses.replace(entry, path=f"{directory}/{name}")


def _select_modules(build: Build) -> frozenset[str] | None:
    """Return the modules of the standard library that get bytecode; ``None`` for all of them.

    Modules that are not imported have bytecode only if the project requests it for all modules.
    """
    files = build.directory.rglob("*.pyc")
    names = (path.relative_to(build.directory).as_posix() for path in files)
    return build.standard if all(name in build.imported for name in names) else None


def _write_cache(
    python: BundledPython,
    libraries: list[ArchiveEntry],
    cache: Path,
    modules: frozenset[str] | None,
    *,
    bytecode: bool,
    strip: bool,
) -> None:
    with temporary_directory(cache.parent) as temporary:
        tree, draft = temporary / "tree", temporary / "draft.zip"
        tree.mkdir()
        entries = (*iter_python_entries(python, HOME, tree, modules), *libraries)
        included = (entry for entry in entries if _is_included(entry, bytecode))
        with draft.open("wb") as target:
            write_zip(strip_entries(included) if strip else included, target)
        with contextlib.suppress(FileExistsError):
            draft.replace(cache)


def _is_included(entry: ArchiveEntry, bytecode: bool) -> bool:
    """Return whether an entry of the interpreter belongs into a function."""
    return not entry.link and (bytecode or not entry.path.endswith(".pyc"))
