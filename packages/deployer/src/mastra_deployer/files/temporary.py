"""Temporary directories that go away, even those of a process that was killed.

Whoever works in one holds a lock on it, which the system frees when that process dies: what
nobody holds is nobody's, whatever the clock says. Where the system has no such locks, what a
killed process left stays.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ("discard", "scratch_directory", "sweep")


@contextlib.contextmanager
def scratch_directory(parent: Path, prefix: str = "tmp-") -> Iterator[Path]:
    """A temporary directory on the file system of ``parent``, so that results can be renamed.

    What killed processes left there under the same prefix is removed first.
    """
    sweep(parent, prefix)
    made, held = _taken(parent, prefix)
    try:
        with made as path:
            yield Path(path)
    finally:
        if held is not None:
            os.close(held)


def discard(place: Path) -> None:
    """Take ``place`` away at one stroke; who reads it meanwhile sees all of it, or nothing."""
    if place.exists():
        with contextlib.suppress(OSError), scratch_directory(place.parent) as scratch:
            place.rename(scratch / "discarded")


def _taken(parent: Path, prefix: str) -> tuple[tempfile.TemporaryDirectory[str], int | None]:
    """A new directory and the lock on it."""
    while True:
        made = tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True)
        held = _hold(made.name, wait=True)
        if os.path.isdir(made.name):  # noqa: PTH112  # a name, not a path
            return made, held
        made.cleanup()  # somebody swept it in the moment before it was held
        if held is not None:
            os.close(held)


def sweep(parent: Path, prefix: str = "tmp-") -> None:
    """Remove what killed processes left in ``parent``."""
    with os.scandir(parent) as entries:
        left = [
            entry.path
            for entry in entries
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False)
        ]
    for path in left:
        held = _hold(path, wait=False)
        if held is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(held)


def _hold(path: str, *, wait: bool) -> int | None:
    """Lock a directory; ``None`` where it is another's, or cannot be locked."""
    if os.name == "nt":  # it has no locks on directories
        return None
    import fcntl

    try:
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(held)
        return None
    return held
