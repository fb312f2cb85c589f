"""What a running app said."""

from __future__ import annotations

import dataclasses
import datetime as dt

__all__ = ("LogLine",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of an app's log.

    :param text: without its newline.
    :param time: when it was said, with a time zone, where the platform tells.
    :param level: ``debug``, ``info``, ``warning`` or ``error``, where the platform tells.
    """

    text: str
    time: dt.datetime | None = None
    level: str = ""
