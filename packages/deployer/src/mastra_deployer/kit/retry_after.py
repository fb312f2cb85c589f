"""How long a platform wants us to wait, in any of the ways that platforms say it."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

__all__ = ("asked_wait", "is_limited")

_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")
_RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
# Nobody asks to wait for three years, and no clock shows 1973: so numbers tell what they are.
_SECONDS_UNTIL = 1e8
_EPOCH_UNTIL = 1e11
_ITEM = re.compile(r"(?:^|[;\s])(\w+)=(\d+)")


def is_limited(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer says "later": 429, 503, or a 403 whose allowance is used up."""
    return status in (429, 503) or (status == 403 and _remaining(headers) == 0)  # noqa: PLR2004  # statuses are their numbers


def asked_wait(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds until the platform wants to be asked again, or ``None`` where it does not say.

    Of times the platform's own ``Date`` is taken for now, so a wrong clock here is harmless. A
    reset of the allowance counts only where nothing is left of it: some tell it with each answer.
    """
    if not is_limited(status, headers):
        return None
    for seconds in _told(headers, _today(headers)):
        if seconds is not None:
            return max(0.0, seconds)
    return None


def _told(headers: Mapping[str, str], today: dt.datetime) -> Iterator[float | None]:
    """What each header says, the most exact first."""
    for name in _MILLISECONDS:
        number = _number(headers.get(name, ""))
        yield None if number is None else number / 1000
    yield _until(headers.get("retry-after", ""), today)
    if _remaining(headers) in (None, 0):
        for name in _RESETS:
            yield _until(headers.get(name, ""), today)
    yield _policies(headers.get("ratelimit", ""))


def _until(text: str, today: dt.datetime) -> float | None:
    """Seconds, from a number of seconds, a time in seconds or milliseconds, or a date."""
    number = _number(text)
    if number is None:
        moment = _date(text)
        return None if moment is None else (moment - today).total_seconds()
    if number < _SECONDS_UNTIL:
        return number
    return (number if number < _EPOCH_UNTIL else number / 1000) - today.timestamp()


def _policies(text: str) -> float | None:
    """Of IETF's ``"policy";r=0;t=30`` and the older ``limit=9, remaining=0, reset=30``."""
    waits = []
    for policy in text.split(","):
        said = {name: int(value) for name, value in _ITEM.findall(policy.strip())}
        wait = said.get("t", said.get("reset"))
        if wait is not None and not said.get("r"):
            waits.append(float(wait))
    return max(waits, default=None)


def _remaining(headers: Mapping[str, str]) -> float | None:
    said = (_number(headers.get(name, "")) for name in _REMAINING)
    return next((number for number in said if number is not None), None)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> dt.datetime | None:
    for read in (parsedate_to_datetime, _iso_date):
        try:
            moment = read(text.strip())
        except (ValueError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return None


def _iso_date(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace(" UTC", "+00:00"))


def _today(headers: Mapping[str, str]) -> dt.datetime:
    return _date(headers.get("date", "")) or dt.datetime.now(dt.UTC)
