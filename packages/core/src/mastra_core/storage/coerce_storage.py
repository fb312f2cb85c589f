"""Conversion of a setting to a storage."""

from __future__ import annotations

from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.storage.in_memory import MemoryStorage
from mastra_core.storage.protocol import Storage

__all__ = ("as_storage",)

_HINT = 'Pass "sqlite:///file.db", "memory:", or an object like SqliteStorage("file.db").'


def as_storage(value: Any) -> Storage:
    """Convert a value to a storage.

    The path in ``sqlite:///file.db`` is relative to the working directory. Under ``mastra dev``,
    ``mastra start`` and ``python .mastra/index.py``, this is the project's directory. The path in
    ``sqlite:////data/file.db`` is absolute.

    :param value: a storage, a URL, or ``None`` for a storage in this process.
    :raises ConfigError: for anything else.
    """
    if value is None:
        return MemoryStorage()
    if isinstance(value, str):
        return _from_url(value)
    if isinstance(value, Storage) and not isinstance(value, type):
        return value
    raise ConfigError(f"{value!r} is not a storage.", _HINT)


def _from_url(url: str) -> Storage:
    scheme, _, rest = url.partition(":")
    if scheme == "memory" and not rest:
        return MemoryStorage()
    path = rest.removeprefix("///")
    if scheme == "sqlite" and path and path != rest:
        from mastra_core.storage.sqlite import SqliteStorage

        return SqliteStorage(path)
    raise ConfigError(f"The storage {_mask_url(url)!r} is of an unknown kind.", _HINT)


def _mask_url(url: str) -> str:
    """Return the URL without the part before ``@``, because it may contain a password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://****@{rest.rpartition('@')[2]}" if separator and "@" in rest else url
