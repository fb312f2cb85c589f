"""Parse and format dates, and read the date range of a query."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from mastra_server.http.request_body import InvalidBody, InvalidQuery

__all__ = ("DateRange", "format_iso", "parse_iso")


def format_iso(milliseconds: int) -> str:
    """Format a time the way JavaScript's ``toISOString`` does.

    :param milliseconds: milliseconds since the epoch.
    :returns: an ISO date in UTC with milliseconds.
    """
    date = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso(value: Any, where: str) -> int | None:
    """Parse an ISO date; UTC where it has no zone.

    :param value: the date, or ``None``.
    :param where: the path of the field, for errors.
    :returns: milliseconds since the epoch, ``None`` for ``None``.
    :raises InvalidBody: for anything but an ISO date.
    """
    if value is None:
        return None
    try:
        date = dt.datetime.fromisoformat(value)
        date = date if date.tzinfo else date.replace(tzinfo=dt.UTC)
        return int(date.timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        raise InvalidBody(where, "Expected an ISO date") from None


class DateRange(msgspec.Struct, rename="camel"):
    """A date range; both ends are inclusive unless the flags say otherwise."""

    start: str | None = None
    end: str | None = None
    start_exclusive: bool = False
    end_exclusive: bool = False

    def to_milliseconds(self, parameter: str) -> tuple[int | None, int | None]:
        """Return the first and last millisecond of the range, ``None`` for an open end.

        :param parameter: the name of the query parameter, for the error.
        :returns: the first and the last millisecond since the epoch, both inclusive.
        :raises InvalidQuery: for anything but ISO dates.
        """
        try:
            since = parse_iso(self.start, f"{parameter}.start")
            until = parse_iso(self.end, f"{parameter}.end")
        except InvalidBody as error:
            raise InvalidQuery(*error.issues[0]) from None
        return (
            None if since is None else since + self.start_exclusive,
            None if until is None else until - self.end_exclusive,
        )
