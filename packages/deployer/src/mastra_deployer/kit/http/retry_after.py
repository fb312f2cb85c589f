"""Read the time that a platform asks a client to wait, from all known headers."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

__all__ = ("is_rate_limited", "parse_retry_after")

_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")
_RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
# A number below 1e8 is a duration of at most three years. A number below 1e11 is a time in seconds
# since 1970, which is after 1973. Any other number is a time in milliseconds since 1970.
_SECONDS_UNTIL = 1e8
_EPOCH_UNTIL = 1e11
_ITEM = re.compile(r"(?:^|[;\s])(\w+)=(\d+)")


def is_rate_limited(status: int, headers: Mapping[str, str]) -> bool:
    """Return whether a response asks the client to try again later.

    A rate-limited response has the status 429 or 503, or the status 403 and an exhausted rate
    limit.

    :param status: the status of the response.
    :param headers: the headers of the response.
    """
    return status in (429, 503) or (status == 403 and _get_remaining(headers) == 0)  # noqa: PLR2004  # statuses are their numbers


def parse_retry_after(status: int, headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, or ``None`` if the response does not contain them.

    Times are compared with the response's ``Date`` header, so a wrong local clock has no effect.
    The reset time of a rate limit is used only if no requests remain, because some platforms send
    this time in every response.

    :param status: the status of the response.
    :param headers: the headers of the response.
    """
    if not is_rate_limited(status, headers):
        return None
    for seconds in _iter_waits(headers, _get_platform_time(headers)):
        if seconds is not None:
            return max(0.0, seconds)
    return None


def _iter_waits(headers: Mapping[str, str], platform_time: dt.datetime) -> Iterator[float | None]:
    """Yield the wait in each header, the most exact header first."""
    for name in _MILLISECONDS:
        number = _parse_number(headers.get(name, ""))
        yield None if number is None else number / 1000
    yield _parse_wait(headers.get("retry-after", ""), platform_time)
    if _get_remaining(headers) in (None, 0):
        for name in _RESETS:
            yield _parse_wait(headers.get(name, ""), platform_time)
    yield _parse_policies(headers.get("ratelimit", ""))


def _parse_wait(text: str, platform_time: dt.datetime) -> float | None:
    """Return seconds from a duration, a Unix time in seconds or milliseconds, or a date."""
    number = _parse_number(text)
    if number is None:
        moment = _parse_date(text)
        return None if moment is None else (moment - platform_time).total_seconds()
    if number < _SECONDS_UNTIL:
        return number
    return (number if number < _EPOCH_UNTIL else number / 1000) - platform_time.timestamp()


def _parse_policies(text: str) -> float | None:
    """Return the wait in ``RateLimit: "policy";r=0;t=30`` or in ``remaining=0, reset=30``."""
    waits = []
    for policy in text.split(","):
        items = {name: float(value) for name, value in _ITEM.findall(policy.strip())}
        wait = items.get("t", items.get("reset"))
        if wait is not None and math.isfinite(wait) and not items.get("r"):
            waits.append(wait)
    return max(waits, default=None)


def _get_remaining(headers: Mapping[str, str]) -> float | None:
    numbers = (_parse_number(headers.get(name, "")) for name in _REMAINING)
    return next((number for number in numbers if number is not None), None)


def _parse_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _parse_date(text: str) -> dt.datetime | None:
    for parse in (parsedate_to_datetime, _parse_iso_date):
        try:
            moment = parse(text.strip())
        except (ValueError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return None


def _parse_iso_date(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace(" UTC", "+00:00"))


def _get_platform_time(headers: Mapping[str, str]) -> dt.datetime:
    return _parse_date(headers.get("date", "")) or dt.datetime.now(dt.UTC)
