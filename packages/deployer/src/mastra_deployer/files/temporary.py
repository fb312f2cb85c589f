"""Create temporary directories, and remove the directories of processes that were killed.

A process holds a lock on each of its directories. The system releases the lock when the process
dies, so a directory without a lock is stale, no matter how old it is. On systems without file
locks, the directories of killed processes are not removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = (
    "TEMPORARY_PREFIX",
    "discard_directory",
    "remove_stale_directories",
    "temporary_directory",
)

# No user names a directory like this: directories with this prefix are deleted, also beside the
# output of a build.
TEMPORARY_PREFIX = "mastra-tmp-"


@contextlib.contextmanager
def temporary_directory(
    parent: Path | None = None, prefix: str = TEMPORARY_PREFIX
) -> Iterator[Path]:
    """Create a temporary directory for the block, and remove stale directories with this prefix.

    :param parent: the directory that will contain the temporary directory, so that results can be
        renamed on the same file system; ``None`` for the system's directory of temporary files.
    :param prefix: the prefix of the directory's name.
    :raises ValueError: for an empty prefix, which would remove every directory of ``parent``, and
        for a prefix with a slash.
    """
    if not prefix or prefix != os.path.basename(prefix):  # noqa: PTH119  # a name, not a path
        raise ValueError(f"The prefix {prefix!r} is not the beginning of a directory's name.")
    parent = parent or Path(tempfile.gettempdir())
    remove_stale_directories(parent, prefix)
    directory, descriptor = _create_locked(parent, prefix)
    try:
        with directory as path:
            yield Path(path)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def discard_directory(directory: Path) -> None:
    """Remove a directory, so that readers see either the whole directory or nothing.

    :param directory: the directory, which may be missing.
    """
    if directory.exists():
        with contextlib.suppress(OSError), temporary_directory(directory.parent) as temporary:
            directory.rename(temporary / "discarded")


def _create_locked(
    parent: Path, prefix: str
) -> tuple[tempfile.TemporaryDirectory[str], int | None]:
    """Create a directory, and lock it."""
    while True:
        directory = tempfile.TemporaryDirectory(
            prefix=prefix, dir=parent, ignore_cleanup_errors=True
        )
        descriptor = _lock_directory(directory.name, wait=True)
        if os.path.isdir(directory.name):  # noqa: PTH112  # a name, not a path
            return directory, descriptor
        directory.cleanup()  # another process removed it before it was locked
        if descriptor is not None:
            os.close(descriptor)


def remove_stale_directories(parent: Path, prefix: str = TEMPORARY_PREFIX) -> None:
    """Remove the directories that killed processes of this user left behind.

    :param parent: the directory that contains the temporary directories.
    :param prefix: the prefix of the temporary directories' names.
    """
    with os.scandir(parent) as entries:
        candidates = [
            entry.path
            for entry in entries
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False)
        ]
    for path in candidates:
        descriptor = _lock_directory(path, wait=False)
        if descriptor is not None:
            if os.fstat(descriptor).st_uid == os.geteuid():
                shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)


def _lock_directory(path: str, *, wait: bool) -> int | None:
    """Lock a directory; return ``None`` if this fails, or if another process has the lock."""
    if os.name == "nt":  # Windows has no locks on directories
        return None
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
