"""Check cron expressions before they are sent to a platform."""

from __future__ import annotations

import re

__all__ = ("find_cron_problem",)

_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, tuple("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split())),
    ("day of the week", 0, 7, tuple("SUN MON TUE WED THU FRI SAT".split())),
)
_ITEM = re.compile(r"(?:\*|(\w{1,9})(?:-(\w{1,9}))?)(?:/(\d{1,9}))?", re.ASCII)


def find_cron_problem(expression: str, *, names: bool = True) -> str:
    """Return a description of the fault in a cron expression, or an empty text.

    The five fields may contain ``*``, numbers, ranges (``1-5``), lists (``1,15``) and steps
    (``*/10``).

    :param expression: the cron expression, such as ``0 5 * * MON``.
    :param names: whether the platform accepts names of months and days.
    :returns: a clause that describes the fault; empty for a valid expression.
    """
    texts = expression.split()
    if len(texts) != len(_FIELDS):
        return f"it has {len(texts)} fields instead of {len(_FIELDS)}"
    for text, (name, low, high, words) in zip(texts, _FIELDS, strict=True):
        values = {word: low + number for number, word in enumerate(words if names else ())}
        if not all(_is_item(item, low, high, values) for item in text.split(",")):
            return f"{text!r} is not a {name} ({low}-{high})"
    return ""


def _is_item(item: str, low: int, high: int, words: dict[str, int]) -> bool:
    match = _ITEM.fullmatch(item)
    if match is None:
        return False
    first, last, step = match.groups()
    bounds = [_parse_value(text, words) for text in (first, last) if text]
    is_valid = all(low <= value <= high for value in bounds) and bounds == sorted(bounds)
    return is_valid and (step is None or 1 <= int(step) <= high)


def _parse_value(text: str, words: dict[str, int]) -> int:
    """Return a number, or the number for a name; -1 for other text."""
    return int(text) if text.isdecimal() else words.get(text.upper(), -1)
