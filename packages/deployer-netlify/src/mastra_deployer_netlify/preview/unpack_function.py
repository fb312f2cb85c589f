"""Unpack the zip of a function, as AWS Lambda does."""

from __future__ import annotations

import zipfile
from pathlib import Path

__all__ = ("unpack_function",)

_READ_ONLY = 0o555  # the bits of a mode that remain, because a function cannot write


def unpack_function(file: Path, directory: Path) -> None:
    """Unpack a zip with the modes of its files, and make all files read-only.

    :param file: the zip.
    :param directory: path of the directory to create.
    """
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            path = Path(archive.extract(info, directory))
            path.chmod(info.external_attr >> 16 & _READ_ONLY)
    for path in (directory, *directory.rglob("*")):
        if path.is_dir():
            path.chmod(_READ_ONLY)
