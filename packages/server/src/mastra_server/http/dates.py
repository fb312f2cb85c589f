"""A span of time that a query asks for."""

from __future__ import annotations

import msgspec

from mastra_server.http.request_body import InvalidBody, InvalidQuery
from mastra_server.memory.convert import milliseconds

__all__ = ("Dates",)


class Dates(msgspec.Struct, rename="camel"):
    """From when to when; both ends belong to it unless it says otherwise."""

    start: str | None = None
    end: str | None = None
    start_exclusive: bool = False
    end_exclusive: bool = False

    def limits(self, where: str) -> tuple[int | None, int | None]:
        """The first and the last millisecond since the epoch, ``None`` for no end.

        :param where: the parameter, for the error.
        :raises InvalidQuery: for anything but ISO dates.
        """
        try:
            since = milliseconds(self.start, f"{where}.start")
            until = milliseconds(self.end, f"{where}.end")
        except InvalidBody as error:
            raise InvalidQuery(*error.issues[0]) from None
        return (
            None if since is None else since + self.start_exclusive,
            None if until is None else until - self.end_exclusive,
        )
