"""Rate limits: requests are counted for each route and reported in headers."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tests.vercel.fake.transport.request import ApiError

DEFAULT, WINDOW = 5000, 60


class RateLimiter:
    """Counts requests; a limit is `route -> (requests, seconds)`."""

    def __init__(self) -> None:
        self.limits: dict[str, tuple[int, int]] = {}
        self.uploads_left: int | None = None  # remaining uploads of the day; None for no quota
        self._windows: dict[str, tuple[int, int]] = {}

    def count(self, name: str) -> Mapping[str, str]:
        """Count a request and return the rate limit headers.

        :raises ApiError: when the limit is exceeded.
        """
        maximum, window = self.limits.get(name, (DEFAULT, WINDOW))
        now = int(time.time())
        until, count = self._windows.get(name, (now + window, 0))
        if now >= until:
            until, count = now + window, 0
        self._windows[name] = (until, count + 1)
        if count >= maximum:
            raise ApiError(
                429,
                "rate_limited",
                f"Too many requests - try again in {until - now} seconds (more than {maximum}).",
                limit={"total": maximum, "remaining": 0, "reset": until, "resetMs": until * 1000},
            )
        return _build_headers(maximum, maximum - count - 1, until)

    def get_rejection_headers(self, error: ApiError) -> Mapping[str, str]:
        limit = error.extra.get("limit")
        if not limit or "resetMs" not in limit:
            return {}
        wait = max(0, limit["reset"] - int(time.time()))
        return {**_build_headers(limit["total"], 0, limit["reset"]), "retry-after": str(wait)}


def _build_headers(maximum: int, remaining: int, reset: int) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(maximum),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }
