"""How often something may be asked: counted for each route, told in headers."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tests.vercel.fake.call import Refused

DEFAULT, WINDOW = 5000, 60


class Limits:
    """Requests so far; a limit is `route -> (requests, seconds)`."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[int, int]] = {}
        self.uploads: int | None = None  # how many more today; None for no quota
        self._counted: dict[str, tuple[int, int]] = {}

    def count(self, name: str) -> Mapping[str, str]:
        """Count a request; the headers that tell how many are left.

        :raises Refused: when there are none left.
        """
        allowed, window = self.kept.get(name, (DEFAULT, WINDOW))
        now = int(time.time())
        until, used = self._counted.get(name, (now + window, 0))
        if now >= until:
            until, used = now + window, 0
        self._counted[name] = (until, used + 1)
        if used >= allowed:
            raise Refused(
                429,
                "rate_limited",
                f"Too many requests - try again in {until - now} seconds (more than {allowed}).",
                limit={"total": allowed, "remaining": 0, "reset": until, "resetMs": until * 1000},
            )
        return _headers(allowed, allowed - used - 1, until)

    def refusal_headers(self, refused: Refused) -> Mapping[str, str]:
        limit = refused.extra.get("limit")
        if not limit or "resetMs" not in limit:
            return {}
        wait = max(0, limit["reset"] - int(time.time()))
        return {**_headers(limit["total"], 0, limit["reset"]), "retry-after": str(wait)}


def _headers(allowed: int, left: int, until: int) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(allowed),
        "x-ratelimit-remaining": str(left),
        "x-ratelimit-reset": str(until),
    }
