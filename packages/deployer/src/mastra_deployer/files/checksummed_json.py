"""Read and write small JSON files of mastra, each with a hash of its content.

If a file was truncated, overwritten or edited, it counts as missing and is created again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mastra_deployer.files.atomic_replace import replace_file

__all__ = ("read_checksummed_json", "write_checksummed_json")

T = TypeVar("T")


class _Checksummed(msgspec.Struct, frozen=True):
    sha256: str
    value: msgspec.Raw


def write_checksummed_json(file: Path, value: Any, temporary: Path | None = None) -> None:
    """Write a value with its hash, in one atomic step.

    :param file: the file to write.
    :param value: a value of a msgspec type.
    :param temporary: a directory of this process on the same file system. Without ``temporary``, no
        other process may write the file at the same time.
    """
    content = msgspec.json.encode(value)
    document = _Checksummed(sha256=hashlib.sha256(content).hexdigest(), value=msgspec.Raw(content))
    draft = (temporary or file.parent) / f"{file.name}.tmp"
    replace_file(file, msgspec.json.encode(document), draft)


def read_checksummed_json(file: Path, kind: type[T]) -> T | None:
    """Return the value in the file; ``None`` if the file is missing or damaged.

    :param file: the file to read.
    :param kind: the value's type.
    """
    try:
        document = msgspec.json.decode(file.read_bytes(), type=_Checksummed)
        if hashlib.sha256(document.value).hexdigest() != document.sha256:
            return None
        return msgspec.json.decode(document.value, type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
