"""Count requests in the memory of this process, without locks and without shared tasks."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import Any

__all__ = ("MovingWindow",)

MAX_CALLERS = 10_000  # callers that are counted; the longest inactive ones are forgotten


class MovingWindow:
    """A moving window with the two methods of the package ``limits`` that this server calls."""

    def __init__(self) -> None:
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()

    async def hit(self, item: Any, caller: str) -> bool:
        """Count a request, and return whether it is within the rate limit.

        :param item: the rate limit.
        :param caller: the key of the caller.
        """
        hits = self._get_hits(item, caller)
        if len(hits) >= item.amount:
            return False
        hits.append(time.time())
        return True

    async def get_window_stats(self, item: Any, caller: str) -> tuple[float, int]:
        """Return when the oldest request leaves the window, and how many requests remain.

        :param item: the rate limit.
        :param caller: the key of the caller.
        """
        hits = self._get_hits(item, caller)
        oldest = hits[0] if hits else time.time()
        return oldest + item.get_expiry(), item.amount - len(hits)

    def _get_hits(self, item: Any, caller: str) -> deque[float]:
        """Return the times of a caller's requests in the window, oldest first."""
        hits = self._hits.setdefault(caller, deque())
        self._hits.move_to_end(caller)
        start = time.time() - item.get_expiry()
        while hits and hits[0] <= start:
            hits.popleft()
        if len(self._hits) > MAX_CALLERS:
            self._hits.popitem(last=False)
        return hits
