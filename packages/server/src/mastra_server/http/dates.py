"""Parse and format dates, and read the date range of a query."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from litestar import Request

from mastra_server.http.request_body import InvalidBody, InvalidQuery

__all__ = ("DateRange", "format_iso", "parse_iso", "read_date_param")

_MESSAGE = "Expected an ISO date of the years 1 to 9999"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)


def format_iso(milliseconds: int) -> str:
    """Format a time the way JavaScript's ``toISOString`` does.

    :param milliseconds: milliseconds since the epoch.
    :returns: an ISO date in UTC with milliseconds.
    """
    date = _EPOCH + milliseconds * _MILLISECOND
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso(value: Any, where: str) -> int | None:
    """Parse an ISO date; a date without a time zone is in UTC.

    :param value: the date, or ``None``.
    :param where: the path of the field, for error messages.
    :returns: milliseconds since the epoch; ``None`` if ``value`` is ``None``.
    :raises InvalidBody: for anything but an ISO date.
    """
    if value is None:
        return None
    milliseconds = _to_milliseconds(value)
    if milliseconds is None:
        raise InvalidBody(where, _MESSAGE)
    return milliseconds


def read_date_param(request: Request[Any, Any, Any], name: str) -> int | None:
    """Read a query parameter that is an ISO date; a date without a time zone is in UTC.

    :param request: the request.
    :param name: the name of the parameter.
    :returns: milliseconds since the epoch, ``None`` if the parameter is missing.
    :raises InvalidQuery: for anything but an ISO date.
    """
    text: str = request.query_params.get(name, "")
    if not text:
        return None
    milliseconds = _to_milliseconds(text)
    if milliseconds is None:
        raise InvalidQuery(name, _MESSAGE)
    return milliseconds


def _to_milliseconds(value: Any) -> int | None:
    """Return milliseconds since the epoch, or ``None`` for a date that cannot be formatted."""
    try:
        date = dt.datetime.fromisoformat(value)
        date = date.astimezone(dt.UTC) if date.tzinfo else date.replace(tzinfo=dt.UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return (date - _EPOCH) // _MILLISECOND


class DateRange(msgspec.Struct, rename="camel"):
    """A date range that includes both ends, unless a flag excludes an end."""

    start: str | None = None
    end: str | None = None
    start_exclusive: bool = False
    end_exclusive: bool = False

    def to_milliseconds(self, parameter: str) -> tuple[int | None, int | None]:
        """Return the first and last millisecond of the range; ``None`` for an open end.

        :param parameter: the name of the query parameter, for the error message.
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
