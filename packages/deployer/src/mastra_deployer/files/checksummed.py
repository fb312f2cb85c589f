"""Small files that mastra keeps for itself, each with a hash of what it holds.

What was cut off, overwritten or edited reads as if it were not there, and is made again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

__all__ = ("read_sealed", "write_sealed")

T = TypeVar("T")


class _Sealed(msgspec.Struct, frozen=True):
    sha256: str
    value: msgspec.Raw


def write_sealed(file: Path, value: Any, scratch: Path | None = None) -> None:
    """Put a value of a msgspec type into ``file``, which is whole at every moment.

    :param scratch: a directory of this process, on the same file system; without one nobody
        else may write this file at the same time.
    """
    content = msgspec.json.encode(value)
    sealed = _Sealed(sha256=hashlib.sha256(content).hexdigest(), value=msgspec.Raw(content))
    made = (scratch or file.parent) / f"{file.name}.tmp"
    try:
        made.write_bytes(msgspec.json.encode(sealed))
        made.replace(file)
    except OSError:
        made.unlink(missing_ok=True)
        raise


def read_sealed(file: Path, kind: type[T]) -> T | None:
    """What ``file`` holds; ``None`` where it is missing or damaged."""
    try:
        sealed = msgspec.json.decode(file.read_bytes(), type=_Sealed)
        if hashlib.sha256(sealed.value).hexdigest() != sealed.sha256:
            return None
        return msgspec.json.decode(sealed.value, type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
