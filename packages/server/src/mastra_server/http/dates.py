"""Read the date range of a query."""

from __future__ import annotations

import msgspec

from mastra_server.http.request_body import InvalidBody, InvalidQuery
from mastra_server.memory.convert import parse_iso

__all__ = ("DateRange",)


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
