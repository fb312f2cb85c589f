"""Find the shared libraries of an interpreter, for a bundle that does not rely on the system's."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from mastra_core.errors import BundleError
from mastra_deployer.kit.files.archive_entries import ArchiveEntry

__all__ = ("iter_shared_libraries",)

_LIBRARY = re.compile(r"^\s+(\S+) => (/\S+) \(0x", re.MULTILINE)
_LOADER = re.compile(r"^\s+(/\S*/ld-\S+) \(0x", re.MULTILINE)
_MISSING = re.compile(r"^\s+(\S+) => not found", re.MULTILINE)
# Libraries that manylinux wheels may expect, although Python itself does not link them.
_ASSUMED = (
    "libdl.so.2 libgcc_s.so.1 libnss_dns.so.2 libnss_files.so.2 libpthread.so.0 libresolv.so.2 "
    "librt.so.1 libstdc++.so.6 libutil.so.1"
).split()


@dataclasses.dataclass(frozen=True, kw_only=True)
class _LoaderTrace:
    """Libraries by their name, and the path of the loader that found them."""

    libraries: dict[str, Path]
    loader: str


def iter_shared_libraries(executable: Path, modules: Sequence[Path]) -> Iterator[ArchiveEntry]:
    """Yield the loader and every shared library that an interpreter needs, at their own paths.

    With them the bundle runs where the system's C library is older or missing.

    :param executable: the interpreter.
    :param modules: its extension modules, all in one directory.
    :returns: the entries; none for a static interpreter.
    :raises BundleError: when a library is missing, or the interpreter is not for glibc.
    """
    trace = _trace_libraries(executable, modules)
    if not trace.libraries:  # a static interpreter
        return
    # The loader always searches the directory of the C library, so every library goes there.
    directory = trace.libraries["libc.so.6"].parent
    libraries = {**_find_assumed(directory), **trace.libraries}
    for name, path in libraries.items():
        target = f"{directory.as_posix().lstrip('/')}/{name}"
        yield ArchiveEntry(path=target, mode=0o755, source=path.resolve())
    yield ArchiveEntry(
        path=trace.loader.lstrip("/"), mode=0o755, source=Path(trace.loader).resolve()
    )


def _find_assumed(directory: Path) -> dict[str, Path]:
    return {name: directory / name for name in _ASSUMED if (directory / name).exists()}


def _trace_libraries(executable: Path, modules: Sequence[Path]) -> _LoaderTrace:
    """Ask the dynamic loader which libraries it would load; nothing is run."""
    excluded = ("LD_LIBRARY_PATH", "LD_PRELOAD")
    environment = {name: value for name, value in os.environ.items() if name not in excluded}
    environment["LD_TRACE_LOADED_OBJECTS"] = "1"
    # Relative paths: a space or a colon in an absolute path would end a name.
    environment["LD_PRELOAD"] = ":".join(f"./{path.name}" for path in modules)
    process = subprocess.run(
        [str(executable), "-I", "-S", "-c", ""],  # a static interpreter has no loader and runs this
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=environment,
        cwd=modules[0].parent if modules else None,
    )
    if missing := sorted(set(_MISSING.findall(process.stdout))):
        raise BundleError(
            f"The interpreter needs libraries that are not installed: {', '.join(missing)}.",
            "Install them, or pass -s interpreter=PATH with another Python.",
        )
    loaders = sorted(set(_LOADER.findall(process.stdout)))
    libraries = {name: Path(path) for name, path in sorted(_LIBRARY.findall(process.stdout))}
    if libraries and (len(loaders) != 1 or "libc.so.6" not in libraries):
        raise BundleError(
            "The interpreter is not built for glibc.",
            "Pass -s interpreter=PATH with a Python for glibc.",
        )
    return _LoaderTrace(libraries=libraries, loader=loaders[0] if loaders else "")
