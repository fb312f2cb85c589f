"""A bounded cache in which a caller's new entries never remove the entries of another caller."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

__all__ = ("CallerCache",)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Entry(msgspec.Struct, frozen=True, gc=False):
    value: Any
    caller: str
    size: int
    added_at: float


class _Share(msgspec.Struct):
    """The entries of one caller: their keys, oldest first, and their size."""

    keys: OrderedDict[Any, None]
    size: int = 0


class CallerCache(Generic[K, V]):
    """A cache with limits for number, bytes and age; old entries are removed first.

    A new entry that exceeds a limit removes the oldest entry. If the new entry's caller holds more
    of the cache than the owner of the oldest entry, the caller loses its own oldest entry instead.
    Each operation takes constant time.

    :param max_entries: the maximum number of entries.
    :param max_bytes: the maximum size of all entries.
    :param max_age: the seconds for which an entry is kept; by default for ever.
    :param on_remove: called with each value that is removed because of a limit.
    """

    def __init__(
        self,
        max_entries: int,
        max_bytes: int,
        max_age: float = math.inf,
        on_remove: Callable[[V], None] | None = None,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._on_remove = on_remove
        # A plain dict finds its first key slowly after many removals.
        self._entries: OrderedDict[K, _Entry] = OrderedDict()
        self._shares: dict[str, _Share] = {}
        self._size = 0

    def __len__(self) -> int:
        self.remove_expired()
        return len(self._entries)

    def __iter__(self) -> Iterator[V]:
        self.remove_expired()
        return iter([entry.value for entry in self._entries.values()])

    def get(self, key: K) -> V | None:
        """Return an entry, or ``None`` if there is none.

        :param key: the key.
        """
        self.remove_expired()
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def put(self, key: K, value: V, caller: str, size: int) -> None:
        """Add an entry as the newest, and replace an entry with the same key.

        :param key: the key.
        :param value: the value.
        :param caller: the caller to whose share of the cache the entry counts.
        :param size: the bytes that the entry takes.
        """
        self.pop(key)
        self._entries[key] = _Entry(value, caller, size, time.monotonic())
        share = self._shares.get(caller)
        if share is None:
            share = self._shares[caller] = _Share(OrderedDict())
        share.keys[key] = None
        share.size += size
        self._size += size
        self.remove_expired()
        while len(self._entries) > self._max_entries or self._size > self._max_bytes:
            self._remove_oldest(caller)

    def pop(self, key: K) -> V | None:
        """Remove and return an entry; return ``None`` if there is none.

        :param key: the key.
        """
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        share = self._shares[entry.caller]
        del share.keys[key]
        share.size -= entry.size
        self._size -= entry.size
        if not share.keys:
            del self._shares[entry.caller]
        return entry.value  # type: ignore[no-any-return]  # a generic Struct would be slower

    def remove_expired(self) -> None:
        """Remove the entries that are too old; the other methods do this themselves."""
        earliest = time.monotonic() - self._max_age
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.added_at >= earliest:
                return
            self._remove(key)

    def _remove_oldest(self, adding: str) -> None:
        key, entry = next(iter(self._entries.items()))
        share = None if entry.caller == adding else self._shares.get(adding)
        if share and self._measure(share) > self._measure(self._shares[entry.caller]):
            key = next(iter(share.keys))
        self._remove(key)

    def _remove(self, key: K) -> None:
        value = self.pop(key)
        if value is not None and self._on_remove is not None:
            self._on_remove(value)

    def _measure(self, share: _Share) -> float:
        """Return the fraction of the cache that a caller uses, in entries or in bytes."""
        return max(len(share.keys) / self._max_entries, share.size / self._max_bytes)
