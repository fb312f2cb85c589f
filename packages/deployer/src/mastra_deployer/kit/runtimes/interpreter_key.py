"""Compute the key under which a cache stores the archive of an interpreter."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

from mastra_deployer.kit.files.archive_entries import ArchiveEntry
from mastra_deployer.kit.runtimes.interpreter_tree import BundledPython
from mastra_deployer.kit.runtimes.python_entries import iter_standard_library

__all__ = ("compute_interpreter_key",)


def compute_interpreter_key(
    python: BundledPython, entries: Iterable[ArchiveEntry], *options: object
) -> str:
    """Hash everything that decides the bytes of an archive with an interpreter.

    The hash contains each file's size and modification time, because reading all contents takes too
    long.

    :param python: the interpreter.
    :param entries: the other entries of the archive, such as those of ``iter_shared_libraries``.
    :param options: everything else that changes the archive's bytes, such as the version of the
        code that writes it.
    :returns: hexadecimal digits.
    """
    digest = hashlib.sha256(f"{zlib.ZLIB_RUNTIME_VERSION} {python} {options!r}".encode())
    others = list(entries)
    sources = (entry.source for entry in others if entry.source)
    for path in (python.path, *iter_standard_library(python), *sources):
        state = path.stat()
        digest.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    for entry in others:
        digest.update(f"{entry.path} {entry.mode} {entry.link} ".encode() + entry.content)
    return digest.hexdigest()
