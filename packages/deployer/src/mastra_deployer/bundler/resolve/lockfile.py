"""What was resolved, kept in ``.mastra-local/locks`` with a hash of it.

A lock that was cut off or edited would make another bundle, or none: it is taken away, and the
dependencies are resolved again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ("latest", "read_lock", "write_lock")

_HEAD = re.compile(r"# mastra (\d+) ([0-9a-f]{64})\n")


def read_lock(lock: Path) -> str | None:
    """The text of a lock; ``None`` where there is none that is whole."""
    try:
        text = lock.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        text = ""
    head = _HEAD.match(text)
    if head is None or _digest(text[head.end() :]) != head[2]:
        lock.unlink(missing_ok=True)
        return None
    return text


def write_lock(text: str, made: Path, lock: Path) -> None:
    """Keep a lock, by way of the file ``made``; it counts as newer than those beside it."""
    number = 1 + max(map(_number, lock.parent.glob("*.toml")), default=0)
    made.write_text(f"# mastra {number} {_digest(text)}\n{text}", encoding="utf-8")
    made.replace(lock)


def latest(locks: Iterable[Path]) -> str | None:
    """The text of the lock that was made last, by its number and by no clock."""
    for lock in sorted(locks, key=_number, reverse=True):
        if text := read_lock(lock):
            return text
    return None


def _number(lock: Path) -> int:
    head = _HEAD.match(read_lock(lock) or "")
    return int(head[1]) if head else 0


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
