"""Find the times that match a cron expression in a time zone, even when its clock changes."""

from __future__ import annotations

import calendar
import datetime as dt
from bisect import bisect_left
from collections.abc import Iterator

from mastra_core.errors import ConfigError

__all__ = ("CronExpression",)

_FIELDS = (
    ("second", 0, 59),
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
# Not from ``calendar``, whose names are those of the locale.
_MONTHS = {
    name: number
    for number, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)
}
_DAYS = {name: number for number, name in enumerate("SUN MON TUE WED THU FRI SAT".split())}
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PARTS = 5  # without seconds
_LAST_DAY = 32  # stands for L, the last day of a month
_SUNDAY = 7
_YEARS = 50  # the 29th of February may miss a day of the week for 40 years
_UTC = dt.UTC
_SECOND = dt.timedelta(seconds=1)
_SKIP = dt.timedelta(hours=2)  # a change moves the clock at most by this: in Antarctica/Troll


class CronExpression:
    """The times that a cron expression describes.

    :param text: five fields (minute, hour, day of the month, month, day of the week), six fields
        with the second first, or a nickname such as ``@daily``.
    :raises ConfigError: when the expression is invalid, or matches no time.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parts = _split(text)
        sets = [
            _parse_field(text, *field, part) for field, part in zip(_FIELDS, parts, strict=True)
        ]
        seconds, minutes, hours, self._days, self._months, weekdays = sets
        self._weekdays = {day % _SUNDAY for day in weekdays}
        # As in other crons, one of two restricted fields is enough.
        self._is_either_day = not parts[3].startswith("*") and not parts[5].startswith("*")
        self._is_interval = parts[1].startswith("*") or parts[2].startswith("*")
        self._times = [
            dt.time(hour, minute, second)
            for hour in sorted(hours)
            for minute in sorted(minutes)
            for second in sorted(seconds)
        ]
        if next(self._iter_local_times(dt.datetime(2000, 1, 1)), None) is None:  # noqa: DTZ001  # a local time
            raise ConfigError(
                f"The cron expression {text!r} matches no time.",
                "No day of any year matches all fields of the expression.",
            )

    def find_next(self, after: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
        """Return the first time after a moment that matches the expression.

        If the clock is set forward, a skipped time moves by the same amount: with one hour, 02:30
        becomes 03:30. If the clock is set back, a time that occurs twice matches only once. An
        expression with ``*`` or ``*/n`` as minute or hour describes an interval. An interval omits
        local times that the clock skips, and matches a repeated local time twice.

        :param after: the moment, with a time zone.
        :param zone: the time zone of the expression.
        """
        after = after.astimezone(_UTC)
        find = self._find_next_interval if self._is_interval else self._find_next_time
        return find(after, zone)

    def _find_next_time(self, after: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
        local = after.astimezone(zone).replace(tzinfo=None, fold=0)
        # A skipped time is moved, so the search begins before the local time of this moment.
        for time in self._iter_local_times(local + _SECOND - _SKIP):
            moment = time.replace(tzinfo=zone).astimezone(_UTC)
            if moment > after:
                return moment
        raise AssertionError(self.text)

    def _find_next_interval(self, after: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
        """Search each period between two changes of the UTC offset separately."""
        start = after.replace(microsecond=0) + _SECOND
        while True:
            offset = _get_offset(start, zone)
            local = (start + offset).replace(tzinfo=None)
            moment = next(self._iter_local_times(local)).replace(tzinfo=_UTC) - offset
            if _get_offset(moment, zone) == offset:
                return moment
            start = _find_change(start, moment, zone)

    def _iter_local_times(self, start: dt.datetime) -> Iterator[dt.datetime]:
        """Yield the times from ``start`` on that match the expression, without a time zone."""
        first = start.time().replace(microsecond=0)
        day, last = start.date(), start.year + _YEARS
        while day.year < last:
            if day.month not in self._months:
                day = _get_next_month(day)
            else:
                if self._includes_day(day):
                    index = bisect_left(self._times, first) if day == start.date() else 0
                    for time in self._times[index:]:
                        yield dt.datetime.combine(day, time)
                day += dt.timedelta(days=1)

    def _includes_day(self, day: dt.date) -> bool:
        in_month = day.day in self._days or (
            _LAST_DAY in self._days and day.day == calendar.monthrange(day.year, day.month)[1]
        )
        in_week = day.isoweekday() % _SUNDAY in self._weekdays
        return in_month or in_week if self._is_either_day else in_month and in_week


def _split(text: object) -> list[str]:
    text_ = text if isinstance(text, str) else ""
    parts = _NICKNAMES.get(text_.strip().lower(), text_).split()
    if len(parts) == _PARTS:
        parts.insert(0, "0")
    if len(parts) != len(_FIELDS):
        raise ConfigError(
            f"The cron expression {text!r} does not have 5 or 6 fields.",
            "Write minute, hour, day of the month, month, day of the week: '0 9 * * MON-FRI'.",
        )
    return [part.upper().replace("?", "*") for part in parts]


def _parse_field(text: str, name: str, first: int, last: int, part: str) -> set[int]:
    """Return the numbers of one field."""
    names = {"month": _MONTHS, "day of the week": _DAYS}.get(name, {})
    if name == "day of the month":
        names = {"L": _LAST_DAY}
    try:
        numbers: set[int] = set()
        for item in part.split(","):
            numbers |= _parse_item(item, names, first, last)
    except ValueError:
        raise ConfigError(
            f"The {name} {part!r} of the cron expression {text!r} is invalid.",
            f"Write *, */n, or numbers and ranges from {first} to {last}, such as '1-5,10'.",
        ) from None
    return numbers


def _parse_item(item: str, names: dict[str, int], first: int, last: int) -> set[int]:
    span, has_step, step_text = item.partition("/")
    step = _parse_number(step_text, {}) if has_step else 1
    if span == "*":
        low, high = first, last
    elif names.get(span) == _LAST_DAY and not has_step:
        return {_LAST_DAY}
    else:
        low_text, is_range, high_text = span.partition("-")
        low = _parse_number(low_text, names)
        high = _parse_number(high_text, names) if is_range else last if has_step else low
    if not (first <= low <= high <= last and step > 0):
        raise ValueError(item)
    return set(range(low, high + 1, step))


def _parse_number(text: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _get_next_month(day: dt.date) -> dt.date:
    return dt.date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _get_offset(moment: dt.datetime, zone: dt.tzinfo) -> dt.timedelta:
    return moment.astimezone(zone).utcoffset() or dt.timedelta()


def _find_change(low: dt.datetime, high: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return the first second after ``low`` whose UTC offset differs from that of ``low``."""
    offset = _get_offset(low, zone)
    while high - low > _SECOND:
        middle = low + dt.timedelta(seconds=(high - low) // _SECOND // 2)
        low, high = (middle, high) if _get_offset(middle, zone) == offset else (low, middle)
    return high
