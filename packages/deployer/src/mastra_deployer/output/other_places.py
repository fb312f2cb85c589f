"""Format the places of a finding, except the first place."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ("format_other_places",)

_MAX_SHOWN = 5


def format_other_places(places: Sequence[str]) -> str:
    """Return `` (also in ...)`` with all places of a finding except the first, or an empty text.

    :param places: file and line of each place.
    """
    others = list(dict.fromkeys(places))[1:]
    more = f" and {len(others) - _MAX_SHOWN} more" if len(others) > _MAX_SHOWN else ""
    return f" (also in {', '.join(others[:_MAX_SHOWN])}{more})" if others else ""
