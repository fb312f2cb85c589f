"""A queue between threads that is bounded in bytes and in number."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import Generic, TypeVar

__all__ = ("BoundedQueue",)

T = TypeVar("T")


class BoundedQueue(Generic[T]):
    """Items that wait for a thread, limited in bytes and in number.

    The queue has a reentrant lock: a signal handler or a finalizer may add an item while its thread
    is in a method of the queue.

    :param max_bytes: maximum size of all items; a single item may exceed it.
    :param max_items: maximum number of items.
    """

    def __init__(self, max_bytes: int, max_items: int = sys.maxsize) -> None:
        self._max_bytes = max_bytes
        self._max_items = max_items
        self._items: deque[tuple[T, int]] = deque()
        self._lock = threading.RLock()
        self.size = 0  # bytes of all items

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, size: int) -> bool:
        """Add an item; return ``False`` if the queue is full.

        :param item: the item.
        :param size: bytes of memory that the item takes.
        """
        with self._lock:
            if self._items and self.size + size > self._max_bytes:
                return False
            if len(self._items) >= self._max_items:
                return False
            self._items.append((item, size))
            self.size += size
        return True

    def take(self, max_items: int = sys.maxsize, max_bytes: int = sys.maxsize) -> list[T]:
        """Remove items, and return them in their order.

        :param max_items: maximum number of items; all by default.
        :param max_bytes: maximum size of the items; the first item may exceed it.
        """
        taken: list[T] = []
        size = 0
        with self._lock:
            while self._items and len(taken) < max_items:
                item, item_size = self._items[0]
                if taken and size + item_size > max_bytes:
                    break
                self._items.popleft()
                taken.append(item)
                size += item_size
            self.size -= size
        return taken
