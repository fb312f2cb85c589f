"""Find the shared libraries of an interpreter, so that a bundle can contain them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mastra_core.errors import BundleError
from mastra_deployer.kit.files.archive_entries import ArchiveEntry
from mastra_deployer.kit.runtimes.elf_file import find_needed_glibc, read_elf_file
from mastra_deployer.kit.runtimes.library_search import LibrarySearch

__all__ = ("iter_shared_libraries",)

_LIBC = "libc.so.6"
# Libraries that manylinux wheels may expect, although Python itself does not link them.
_ASSUMED = (
    "libdl.so.2 libgcc_s.so.1 libnss_dns.so.2 libnss_files.so.2 libpthread.so.0 libresolv.so.2 "
    "librt.so.1 libstdc++.so.6 libutil.so.1"
).split()


def iter_shared_libraries(
    executable: Path, modules: Sequence[Path], *, platform_glibc: str = ""
) -> Iterator[ArchiveEntry]:
    """Yield the loader and every shared library that an interpreter needs, at their own paths.

    With the loader and the libraries, the bundle runs on a system whose C library is older or
    missing. The libraries are searched as the dynamic loader searches them, and nothing is run.

    :param executable: the interpreter.
    :param modules: the interpreter's extension modules.
    :param platform_glibc: version of the platform's own C library, such as ``2.34``; empty for
        none. If ``platform_glibc`` is given, and this machine does not have the interpreter's
        loader, only the interpreter's own libraries are yielded.
    :returns: the entries; none for a static interpreter.
    :raises BundleError: when a library or the loader is missing, or when the interpreter is not for
        glibc, or needs a newer glibc than the platform has.
    """
    program = read_elf_file(executable)
    if program is None or program.libc != "glibc":
        if program is not None and not program.loader:  # a static interpreter
            return
        raise BundleError(
            "The interpreter is not built for glibc.",
            "Pass -s interpreter=PATH with a Python for glibc.",
        )
    search = LibrarySearch(executable, program)
    if not search.has_system and not platform_glibc:
        raise BundleError(
            f"The interpreter needs the C library of Linux on {program.machine}, which this "
            "machine does not have.",
            f"Bundle on Linux with glibc on {program.machine}.",
        )
    libraries, missing = search.find_all([executable, *modules], _ASSUMED)
    if missing and search.has_system:
        raise BundleError(
            "The interpreter needs libraries that are not installed: "
            f"{', '.join(sorted(missing))}.",
            "Install them, or pass -s interpreter=PATH with another Python.",
        )
    if not search.has_system:
        _check_glibc([executable, *modules, *libraries.values()], platform_glibc)
        for name, path in sorted(libraries.items()):
            yield ArchiveEntry(path=f"lib/{name}", mode=0o755, source=path.resolve())
        return
    # The loader always searches the directory of the C library, so every library goes there.
    directory = libraries[_LIBC].parent.as_posix().lstrip("/")
    for name, path in sorted(libraries.items()):
        yield ArchiveEntry(path=f"{directory}/{name}", mode=0o755, source=path.resolve())
    yield ArchiveEntry(
        path=program.loader.lstrip("/"), mode=0o755, source=Path(program.loader).resolve()
    )


def _check_glibc(files: Iterable[Path], version: str) -> None:
    major, _, minor = version.partition(".")
    needed = max(find_needed_glibc(file) for file in files)
    if needed > (int(major), int(minor)):
        raise BundleError(
            f"The interpreter needs glibc {needed[0]}.{needed[1]}, but the platform has {version}.",
            "Pass -s interpreter=PATH with a Python for an older glibc, such as "
            "python-build-standalone.",
        )
