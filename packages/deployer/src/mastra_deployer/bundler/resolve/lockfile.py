"""Read and write resolved locks in ``.mastra-local/locks``, with a hash of their content.

If a lock was truncated or edited, it is deleted, and the dependencies are resolved again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ("read_latest_lock", "read_lock", "write_lock")

_HEAD = re.compile(r"# mastra (\d+) ([0-9a-f]{64})\n")


def read_lock(lock: Path) -> str | None:
    """Return the text of a lock, or ``None`` if the file is missing or damaged.

    :param lock: the file.
    """
    try:
        text = lock.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        text = ""
    head = _HEAD.match(text)
    if head is None or _compute_digest(text[head.end() :]) != head[2]:
        lock.unlink(missing_ok=True)
        return None
    return text


def write_lock(text: str, draft: Path, lock: Path) -> None:
    """Write a lock in one step, and make it the newest lock of its directory.

    :param text: the lock's content.
    :param draft: a path for a temporary file, on the file system of ``lock``.
    :param lock: the file to write.
    """
    number = 1 + max(map(_read_number, lock.parent.glob("*.toml")), default=0)
    draft.write_text(
        f"# mastra {number} {_compute_digest(text)}\n{text}", encoding="utf-8", newline="\n"
    )
    draft.replace(lock)


def read_latest_lock(locks: Iterable[Path]) -> str | None:
    """Return the text of the newest lock, which has the highest number.

    :param locks: the files to choose from.
    """
    for lock in sorted(locks, key=_read_number, reverse=True):
        if text := read_lock(lock):
            return text
    return None


def _read_number(lock: Path) -> int:
    head = _HEAD.match(read_lock(lock) or "")
    return int(head[1]) if head else 0


def _compute_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
