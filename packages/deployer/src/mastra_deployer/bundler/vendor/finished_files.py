"""Describe files in their final state: size, time, hash and mode."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from mastra_core.pipeline.file_tree import HAS_MODES, hash_file, is_executable
from mastra_deployer.project.child_processes import raise_if_interrupted

__all__ = ("FinishedFile", "finish_files")


class FinishedFile(msgspec.Struct, frozen=True, array_like=True):
    """A file in its final state.

    :param name: the file's path, relative to the root of its directory tree.
    :param size: the size of the file in bytes.
    :param mtime: the time of the last change, in nanoseconds. A later write changes this time or
        the size.
    :param sha256: the SHA-256 of the file's content, in hexadecimal digits.
    :param executable: whether the owner of the file may execute it.
    """

    name: str
    size: int
    mtime: int
    sha256: str
    executable: bool = False


def finish_files(files: Mapping[Path, Iterable[str]]) -> dict[Path, list[FinishedFile]]:
    """Make files read-only and describe them.

    :param files: names of files, by the directory that the names are relative to.
    :raises OSError: when a file cannot be read or written.
    """
    # Several threads wait for the disk and hash large files at once.
    with ThreadPoolExecutor() as pool:
        return {
            root: list(pool.map(lambda name, root=root: _finish_file(root, name), names))
            for root, names in files.items()
        }


def _finish_file(root: Path, name: str) -> FinishedFile:
    raise_if_interrupted()
    path = f"{root}/{name}"
    sha256 = hash_file(path)
    status = os.stat(path)  # noqa: PTH116  # called for each file of a bundle
    executable = is_executable(path, status)
    if HAS_MODES:
        os.chmod(path, 0o555 if executable else 0o444)  # noqa: PTH101  # bundles link to it
    return FinishedFile(name, status.st_size, status.st_mtime_ns, sha256, executable)
