"""A tree of files: walked, put somewhere else without writing it again, known by content."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

__all__ = ("Identity", "content_digest", "identity_of", "lay_out", "tree_files")

Identity: TypeAlias = tuple[int, int, int, int]
"""Device, inode, size and time of change of a file: the same for each of its hard links."""

_BLOCK = 1 << 20


def lay_out(source: Path, target: Path) -> None:
    """Make ``target`` hold what ``source`` holds, by hard links where the file system can.

    Linking is some fifteen times faster than copying. Linked files share their content, so
    replace one, never write into it; those of the dependency cache are read-only for that reason.
    """
    target.mkdir(parents=True, exist_ok=True)
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_dir():
                lay_out(Path(entry.path), target / entry.name)
            else:
                _link_or_copy(entry.path, f"{target}{os.sep}{entry.name}")


def tree_files(directory: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every file and link below ``directory`` by its relative name, in no order."""
    waiting = [("", str(directory))]
    while waiting:
        prefix, place = waiting.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{name}/", entry.path))
                else:
                    yield name, entry


def identity_of(status: os.stat_result) -> Identity:
    """What tells a file from another without reading it."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def content_digest(path: str | Path) -> str:
    """SHA-256 of a file's content, as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123  # called for each file of a bundle
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links; or the file is there already
        shutil.copyfile(source, target)
