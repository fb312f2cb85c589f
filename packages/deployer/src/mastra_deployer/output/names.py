"""Format lists of names for a sentence."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ("format_names",)

_MAX_NAMES = 3


def format_names(names: Collection[str], count: int = _MAX_NAMES) -> str:
    """Return the first names of a list, and the number of the remaining names.

    :param names: the names.
    :param count: the number of names to show.
    """
    first = list(names)[:count]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")
