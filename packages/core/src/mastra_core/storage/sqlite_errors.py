"""Convert SQLite errors to errors with a hint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mastra_core.errors import StorageError

if TYPE_CHECKING:
    from sqlite3 import Error

__all__ = ("build_moved_error", "to_storage_error")

_MESSAGES = {  # by the prefix of SQLite's error name
    "SQLITE_FULL": (
        "The disk of {path!r} is full.",
        "Free some space on the disk. The stored data is intact.",
    ),
    "SQLITE_READONLY": (
        "{path!r} is read-only.",
        "Let this user write to the file and its directory, or use another file.",
    ),
    "SQLITE_CANTOPEN": (
        "{path!r} cannot be opened.",
        "Create the directory of the file, and let this user write to it.",
    ),
    "SQLITE_NOTADB": (
        "{path!r} is not an SQLite database.",
        "Use another path. A missing file is created.",
    ),
    "SQLITE_CORRUPT": (
        "{path!r} is damaged.",
        "Restore a backup, or try: sqlite3 FILE .recover",
    ),
    "SQLITE_BUSY": (
        "{path!r} was locked by another process for too long.",
        "Find the process with an open transaction, or raise SqliteStorage(busy_timeout=...).",
    ),
    "SQLITE_IOERR": (
        "{path!r} cannot be read or written: {error}.",
        "Check the disk of the file. SQLite does not work on network file systems.",
    ),
}


def to_storage_error(error: Error, path: str) -> StorageError:
    """Convert an error of SQLite to a ``StorageError`` with the absolute path and a hint.

    :param error: the error of SQLite.
    :param path: path of the file.
    """
    name = getattr(error, "sqlite_errorname", "")
    if path and not path.startswith(":"):
        path = os.path.abspath(path)  # noqa: PTH100  # pathlib is slow to import
    for prefix, (message, hint) in _MESSAGES.items():
        if name.startswith(prefix):
            return StorageError(message.format(path=path, error=error), hint)
    return StorageError(
        f"SQLite refused {path!r}: {error}.", "Update mastra-core, or report the error."
    )


def build_moved_error(path: str) -> StorageError:
    """Build the error for a file that was deleted or replaced while this process used it.

    :param path: absolute path of the file.
    """
    return StorageError(
        f"{path!r} was deleted or replaced while this process used it.",
        "Put the file back, or restart the server to use the new file.",
    )
