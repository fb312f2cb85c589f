"""Reuse the dependencies of the previous bundle.

Most builds change only the app. When a bundle is replaced, the dependencies of the old bundle are
kept. With the kept dependencies, the next build needs one rename instead of thousands of links and
deletions.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Container, Iterable
from pathlib import Path

from mastra_core.pipeline.file_tree import (
    HAS_MODES,
    Identity,
    get_identity,
    is_executable,
    iter_files,
)
from mastra_deployer.bundler.vendor.finished_files import FinishedFile
from mastra_deployer.bundler.vendor.wheel_store import StoredWheel

__all__ = ("reuse_vendor_directory", "save_vendor_directory")

_VENDOR = "vendor"


def save_vendor_directory(bundle: Path, previous: Path) -> None:
    """Move the dependencies of a replaced bundle to ``previous``, and delete what was there.

    :param bundle: the directory of the replaced bundle.
    :param previous: the directory that receives the dependencies.
    """
    if not (bundle / _VENDOR).is_dir():
        return
    shutil.rmtree(previous, ignore_errors=True)
    with contextlib.suppress(OSError):  # on another file system a copy would save no time
        (bundle / _VENDOR).rename(previous)


def reuse_vendor_directory(
    previous: Path,
    wheels: Iterable[StoredWheel],
    target: Path,
    digests: dict[Identity, str],
    bytecode: Container[str] = frozenset(),
) -> frozenset[str] | None:
    """Move the dependencies of the replaced bundle to ``target``, if they are the given wheels.

    Bytecode may be missing, because a bundle has the bytecode of imported modules only. Bytecode of
    modules that only the start in isolation imports is deleted: the next start may import others.

    :param previous: the kept dependencies; may be missing.
    :param wheels: the wheels that ship.
    :param target: the directory to create.
    :param digests: receives the SHA-256 of each file by its identity.
    :param bytecode: names of the bytecode files of all modules of the wheels.
    :returns: the names of the missing bytecode files; ``None`` if nothing was moved.
    """
    expected: dict[str, FinishedFile] = {}
    for wheel in wheels:
        for file in wheel.files:
            expected.setdefault(file.name, file)
    file_digests = _read_digests(previous, expected, bytecode)
    if file_digests is None or target.exists():  # an earlier attempt has created it
        return None
    found, missing, surplus = file_digests
    previous.rename(target)
    for name in surplus:
        (target / name).unlink()
    digests.update(found)
    return missing


def _read_digests(
    directory: Path, files: dict[str, FinishedFile], bytecode: Container[str]
) -> tuple[dict[Identity, str], frozenset[str], list[str]] | None:
    """Return the digests of all files, and the names of missing and of surplus bytecode files.

    Return ``None`` if another file is missing, if a file was changed, or if the directory has a
    file that is neither in ``files`` nor in ``bytecode``.
    """
    found: dict[Identity, str] = {}
    missing, surplus = set(files), []
    try:
        for name, entry in iter_files(directory):
            status, file = entry.stat(follow_symlinks=False), files.get(name)
            if file is None and name in bytecode:
                surplus.append(name)
                continue
            if file is None or _is_changed(entry.path, status, file):
                return None
            found[get_identity(status)] = file.sha256
            missing.discard(name)
    except OSError:
        return None
    if not all(name.endswith(".pyc") for name in missing):
        return None
    return found, frozenset(missing), surplus


def _is_changed(path: str, status: os.stat_result, file: FinishedFile) -> bool:
    if HAS_MODES and is_executable(path, status) != file.executable:
        return True
    return (status.st_size, status.st_mtime_ns) != (file.size, file.mtime)
