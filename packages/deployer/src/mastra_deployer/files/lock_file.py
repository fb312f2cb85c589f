"""Lock an open file, on any system, until the file is closed or the process ends."""

from __future__ import annotations

import errno
import os
import time
from typing import IO

__all__ = ("lock_file",)

_INTERVAL = 0.1  # seconds; Windows cannot wait without a limit
# File systems without locks, such as some network shares.
_UNSUPPORTED = frozenset((errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP))


def lock_file(file: IO[bytes], *, wait: bool) -> bool:
    """Lock a file for this process; do nothing on a file system without locks.

    :param file: the open file.
    :param wait: whether to wait until no other process has locked the file.
    :returns: whether the file is locked; always ``True`` if ``wait`` is set.
    """
    lock = _lock_on_windows if os.name == "nt" else _lock_on_posix
    while not lock(file, wait=wait):
        if not wait:
            return False
        time.sleep(_INTERVAL)
    return True


def _lock_on_posix(file: IO[bytes], *, wait: bool) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    return True


def _lock_on_windows(file: IO[bytes], *, wait: bool) -> bool:
    """Try once to lock the first byte of a file; Windows itself would wait only ten seconds."""
    import msvcrt

    del wait
    file.seek(0)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows only
    except OSError:
        return False
    return True
