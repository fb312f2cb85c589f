"""Things by name: the key they were registered under, or their own id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from mastra_core.errors import ConfigError, NotFound

__all__ = ("Registry",)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Identified)


class Registry(Mapping[str, T], Generic[T]):
    """A read-only mapping by key that ``find`` also searches by id.

    :param kind: what it holds, for messages (``agent``).
    :raises ConfigError: for a name a URL cannot carry, or one that means two things.
    """

    def __init__(self, kind: str, items: Mapping[str, T]) -> None:
        self._kind = kind
        self._items = dict(items)
        self._by_id: dict[str, T] = {}
        for key, item in self._items.items():
            self._check(key, item)
            self._by_id[item.id] = item

    def find(self, name: str) -> T:
        """The item registered under ``name``, or whose id it is.

        :raises NotFound: when there is none.
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

    def _check(self, key: str, item: T) -> None:
        names: tuple[object, ...] = (key, item.id)
        for name in names:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ConfigError(
                    f"The {self._kind} name {name!r} cannot stand in a URL.",
                    "Use letters, digits, '_', '-' and '.', at most 128 of them.",
                )
        other = self._by_id.get(item.id) or self._items.get(item.id, item)
        if other is not item or self._by_id.get(key, item) is not item:
            raise ConfigError(
                f"Two {self._kind}s answer to {item.id!r}.", f"Give one {self._kind} another id."
            )
