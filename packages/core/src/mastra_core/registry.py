"""Find objects by their registration key or by their own id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from mastra_core.errors import ConfigError, NotFound

__all__ = ("Registry",)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_HasId)


class Registry(Mapping[str, T], Generic[T]):
    """A read-only mapping of keys to items; the method ``find`` also searches by id.

    :param kind: what error messages call an item (``agent``).
    :param items: the items by key.
    :raises ConfigError: for a name that cannot be part of a URL, or a name that two different items
        have.
    """

    def __init__(self, kind: str, items: Mapping[str, T]) -> None:
        self._kind = kind
        self._items = dict(items)
        self._by_id: dict[str, T] = {}
        for key, item in self._items.items():
            self._check_names(key, item)
            self._by_id[item.id] = item

    def find(self, name: str) -> T:
        """Return the item with a key or id.

        :param name: the key or the id.
        :raises NotFound: when no item has this key or id.
        """
        for items in (self._items, self._by_id):
            if name in items:
                return items[name]
        raise NotFound(f"There is no {self._kind} {name!r}.")

    def __getitem__(self, key: str) -> T:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def _check_names(self, key: str, item: T) -> None:
        names: tuple[object, ...] = (key, item.id)
        for name in names:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ConfigError(
                    f"The {self._kind} name {name!r} cannot be part of a URL.",
                    "Use at most 128 characters: letters, digits, '_', '-' and '.'.",
                )
        other = self._by_id.get(item.id) or self._items.get(item.id, item)
        if other is not item or self._by_id.get(key, item) is not item:
            raise ConfigError(
                f"Two {self._kind}s have the name {item.id!r}.",
                f"Give one {self._kind} another id.",
            )
