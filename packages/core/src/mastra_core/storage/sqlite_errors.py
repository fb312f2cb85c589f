"""What SQLite says, as something a person can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mastra_core.errors import StorageError

if TYPE_CHECKING:
    from sqlite3 import Error

__all__ = ("to_storage_error",)

_TOLD = {  # by the first words of SQLite's name for it
    "SQLITE_FULL": (
        "The disk of {path!r} is full.",
        "Make room; what was stored before is unharmed.",
    ),
    "SQLITE_READONLY": (
        "{path!r} is read-only.",
        "Let this user write to the file and its directory, or name a file elsewhere.",
    ),
    "SQLITE_CANTOPEN": (
        "{path!r} cannot be opened.",
        "Make its directory, and let this user write to it.",
    ),
    "SQLITE_NOTADB": (
        "{path!r} is not an SQLite database.",
        "Name another file: a new one is made.",
    ),
    "SQLITE_CORRUPT": (
        "{path!r} is damaged.",
        "Put a backup in its place, or try: sqlite3 FILE .recover",
    ),
    "SQLITE_BUSY": (
        "{path!r} was held by another process for too long.",
        "Find who keeps a transaction open, or raise SqliteStorage(busy_timeout=...).",
    ),
    "SQLITE_IOERR": (
        "{path!r} cannot be read or written: {error}.",
        "Look at the disk it is on; network file systems do not work for SQLite.",
    ),
}


def to_storage_error(error: Error, path: str) -> StorageError:
    """``error`` with the file's name and a cure."""
    name = getattr(error, "sqlite_errorname", "")
    for words, (message, hint) in _TOLD.items():
        if name.startswith(words):
            return StorageError(message.format(path=path, error=error), hint)
    return StorageError(f"SQLite refused {path!r}: {error}.", "Update mastra-core, or report it.")
