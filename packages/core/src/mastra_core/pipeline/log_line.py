"""A log line of a running app."""

from __future__ import annotations

import dataclasses
import datetime as dt

__all__ = ("LogLine",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of an app's log.

    :param text: the line without its newline.
    :param time: when the line was logged, with a time zone; ``None`` if the platform does not
        say.
    :param level: ``debug``, ``info``, ``warning`` or ``error``; empty if the platform does not
        say.
    """

    text: str
    time: dt.datetime | None = None
    level: str = ""
