"""Read how much memory the host allows, and reduce limits in bytes on a small host."""

from __future__ import annotations

import functools
import os
from pathlib import Path

__all__ = ("find_memory_limit", "fit_to_memory")

_FULL_SIZE = 2 * 1024 * 1024 * 1024  # bytes of memory with which limits are not reduced
_MIN_SHARE = 16  # a smaller host gets no smaller limits, or it could answer nothing
# Where Linux shows the limits of control groups: by controller, with an empty name in version 2.
_FILES = {
    "": (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/unified", "memory.max")),
    "memory": (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),),
}


def fit_to_memory(size: int) -> int:
    """Return a limit in bytes, reduced in proportion if a process may use less than 2 GiB.

    The processes that ``WEB_CONCURRENCY`` starts share the memory of the host.

    :param size: the limit on a host with enough memory.
    """
    limit = find_memory_limit()
    if limit is None:
        return size
    workers = os.environ.get("WEB_CONCURRENCY", "")
    count = int(workers) if workers.isascii() and workers.isdigit() else 1
    return max(size // _MIN_SHARE, min(size, size * limit // _FULL_SIZE // max(count, 1)))


@functools.cache
def find_memory_limit(root: str = "/") -> int | None:
    """Return the bytes of memory that this process may use; ``None`` without a limit.

    A container and a unit of systemd are control groups of Linux. The limits of the groups that
    contain a group apply, too.

    :param root: the directory that contains ``proc`` and ``sys``.
    """
    try:
        groups = Path(root, "proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    limits = []
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        name = "memory" if "memory" in controllers.split(",") else controllers
        for mount, file in _FILES.get(name, ()):
            limits += _read_limits(Path(root, mount.lstrip("/")), path.strip("/"), file)
    return min(limits, default=None)


def _read_limits(mount: Path, path: str, file: str) -> list[int]:
    """Read the limits of a group and of the groups around it; in a container, some are hidden."""
    limits = []
    group = mount / path
    for directory in (group, *group.parents):
        try:
            text = (directory / file).read_text(encoding="ascii").strip()
        except OSError:
            text = ""
        if text.isdigit() and int(text) < 1 << 62:  # version 1 has a huge number without a limit
            limits.append(int(text))
        if directory == mount:
            break
    return limits
