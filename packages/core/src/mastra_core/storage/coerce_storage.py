"""Convert a setting to a storage.

Other packages can define storages for URLs with other schemes. The entry-point group
``mastra.storages`` maps a scheme to a function that takes the URL and returns a storage.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from mastra_core.database.url import mask_url
from mastra_core.errors import ConfigError, PluginError
from mastra_core.storage.in_memory import MemoryStorage
from mastra_core.storage.protocol import Storage

__all__ = ("as_storage",)

_HINT = (
    'Pass "sqlite:///file.db", "postgresql://user:password@host/name", "memory:", "d1:BINDING", or '
    'an object like SqliteStorage("file.db"). Other schemes need the package that defines them.'
)
_GROUP = "mastra.storages"
_OWN_SCHEMES = ("memory", "sqlite", "d1", "postgresql", "postgres")


def as_storage(value: Any) -> Storage:
    """Convert a value to a storage.

    The path in ``sqlite:///file.db`` is relative to the working directory, which is the project's
    directory under ``mastra dev``, ``mastra start`` and ``python .mastra/index.py``. The path in
    ``sqlite:////data/file.db`` is absolute.

    :param value: a storage, a URL, or ``None`` for a storage in this process.
    :raises ConfigError: for a value of any other type.
    :raises PluginError: when the package that defines the scheme is defective.
    """
    if value is None:
        return MemoryStorage()
    if isinstance(value, str):
        return _from_url(value)
    if isinstance(value, Storage) and not isinstance(value, type):
        return value
    raise ConfigError(f"A {type(value).__name__!r} is not a storage.", _HINT)


def _from_url(url: str) -> Storage:
    scheme, separator, rest = url.partition(":")
    if scheme == "memory" and not rest:
        return MemoryStorage()
    path = rest.removeprefix("///")
    if scheme == "sqlite" and path and path != rest:
        from mastra_core.storage.sqlite import SqliteStorage

        return SqliteStorage(path)
    if scheme in ("postgresql", "postgres"):
        from mastra_core.storage.postgres import PostgresStorage

        return PostgresStorage(url)
    if scheme == "d1" and rest:
        from mastra_core.storage.d1 import D1Storage

        return D1Storage(rest)
    is_foreign = separator and scheme not in _OWN_SCHEMES
    if is_foreign and re.fullmatch(r"[a-z][a-z0-9+.-]+", scheme):
        for reference in _find_factories(scheme):
            return _create_storage(reference, url)
    raise ConfigError(f"The storage {mask_url(url)!r} is of an unknown kind.", _HINT)


def _find_factories(scheme: str) -> list[str]:
    """Return references to the functions that create storages for URLs with a scheme."""
    from importlib.metadata import entry_points

    return [entry.value for entry in entry_points(group=_GROUP, name=scheme)]


def _create_storage(reference: str, url: str) -> Storage:
    module, _, attribute = reference.partition(":")
    try:
        factory: Callable[[str], Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"The storage {reference!r} cannot be loaded: {error}.",
            "Update or uninstall the package that contains the storage.",
        ) from None
    storage = factory(url)
    if isinstance(storage, Storage):
        return storage
    raise PluginError(
        f"{reference!r} has returned {type(storage).__name__!r}, which is not a storage.",
        "Update or uninstall the package that contains the storage.",
    )
