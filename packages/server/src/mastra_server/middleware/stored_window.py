"""Count requests in a database, for all processes that share it."""

from __future__ import annotations

import math
import time
from typing import Any

from mastra_core.storage.request_counts import RequestCounts

__all__ = ("StoredWindow",)


class StoredWindow:
    """A moving window with the two methods of the package ``limits`` that this server calls.

    :param url: URL of the database.
    :raises ConfigError: when the URL is invalid.
    """

    def __init__(self, url: str) -> None:
        self._counts = RequestCounts(url)
        self._stats: dict[str, tuple[float, int]] = {}  # of requests that are being answered

    async def hit(self, item: Any, caller: str) -> bool:
        """Count a request, and return whether it is within the rate limit.

        :param item: the rate limit.
        :param caller: the key of the caller.
        :raises StorageError: when the database cannot be used.
        """
        now = time.time()
        usage = await self._counts.count(caller, item.amount, item.get_expiry(), now)
        remaining = max(item.amount - math.ceil(usage.requests), 0)
        self._stats[caller] = usage.resets_at, remaining
        return usage.is_allowed

    async def get_window_stats(self, item: Any, caller: str) -> tuple[float, int]:
        """Return when the window ends, and how many requests remained after the last request.

        :param item: the rate limit.
        :param caller: the key of the caller.
        """
        return self._stats.pop(caller, (time.time() + item.get_expiry(), 0))

    async def open(self) -> None:
        """Open the database."""
        await self._counts.open()

    async def close(self) -> None:
        """Close the database."""
        await self._counts.close()
