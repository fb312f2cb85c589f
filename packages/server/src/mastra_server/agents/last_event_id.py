"""Read the header ``Last-Event-ID``, with which a client continues to read a run."""

from __future__ import annotations

import contextlib
from typing import Any

from litestar import Request

__all__ = ("is_reconnect", "read_last_event_id")

_MAX_DIGITS = 15  # of a frame number

_Request = Request[Any, Any, Any]


def is_reconnect(request: _Request) -> bool:
    """Return whether a request only continues to read the run that ``Last-Event-ID`` names.

    :param request: the request.
    """
    return bool(read_last_event_id(request)[0])


def read_last_event_id(request: _Request) -> tuple[str, int | None]:
    """Return the run id and the frame number in ``Last-Event-ID``.

    :param request: the request.
    :returns: the id of the run, and how many of its frames the client has received; an empty id and
        ``None`` if the header names no run.
    """
    text = request.headers.get("last-event-id", "")
    with contextlib.suppress(UnicodeError):  # an event source sends UTF-8, `fetch` Latin-1
        text = text.encode("latin-1").decode()
    name, _, number = text.rpartition("/")
    if name and number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS:
        return name, int(number)
    return "", None
