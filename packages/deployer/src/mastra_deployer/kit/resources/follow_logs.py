"""Follow a log even if the platform sends some lines more than once."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Iterator

from mastra_core.pipeline import LogLine
from mastra_deployer.kit.clock import sleep

__all__ = ("follow_history", "follow_logs")

_RECENT = 10_000  # lines that a platform may repeat
_DELAY = dt.timedelta(minutes=1)  # between the time of a line and its arrival in the history


def follow_logs(
    read: Callable[[], Iterable[tuple[str, LogLine]]],
    *,
    after: dt.datetime | None = None,
    interval: float = 1.0,
) -> Iterator[LogLine]:
    """Yield the new lines of a log without end, each line only once.

    ``read`` opens a stream, which the platform may end at any time, or fetches the newest lines.
    When its lines end, ``read`` is called again. A line counts as new if it is not among the last
    10,000 lines.

    :param read: returns each line with the platform's id for it. If the id is empty, lines of two
        calls are the same line if their text, time and level are equal.
    :param after: time of the last line that was shown before; lines up to this time are left out.
    :param interval: seconds between two calls.
    """
    shown: collections.OrderedDict[Hashable, None] = collections.OrderedDict()
    while True:
        repeats: collections.Counter[LogLine] = collections.Counter()
        for line_id, line in read():
            repeats[line] += 1
            key: Hashable = line_id or (line, repeats[line])
            if key in shown or (after and line.time and line.time <= after):
                continue
            shown[key] = None
            if len(shown) > _RECENT:
                shown.popitem(last=False)
            yield line
        sleep(interval)


def follow_history(
    read: Callable[[dt.datetime], Iterable[tuple[str, LogLine]]],
    since: dt.datetime,
    *,
    interval: float = 1.0,
) -> Iterator[LogLine]:
    """Yield the lines of a stored log, and then its new lines without end, each line only once.

    Each call of ``read`` begins one minute before the newest line, so that calls stay short and
    late lines are not lost.

    :param read: returns the lines since a time, each with the platform's id for it, or with an
        empty id as for ``follow_logs``.
    :param since: time of the first line.
    :param interval: seconds between two calls.
    """
    newest = since

    def read_newest() -> Iterator[tuple[str, LogLine]]:
        nonlocal newest
        for line_id, line in read(max(since, newest - _DELAY)):
            if line.time:  # a clock that is ahead must not hide the lines of others
                newest = max(newest, min(line.time, dt.datetime.now(dt.UTC)))
            yield line_id, line

    return follow_logs(read_newest, interval=interval)
