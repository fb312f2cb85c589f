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
    When the lines end, ``read`` is called again. A line counts as new if it is not among the last
    10,000 lines.

    :param read: returns each line with the platform's id for the line. If the id is empty, two
        lines with equal text, time and level count as the same line.
    :param after: time of the last line that was shown before; lines up to this time are left out.
    :param interval: seconds between two calls.
    """
    return _follow(read, lambda: None, after=after, interval=interval)


def follow_history(
    read: Callable[[dt.datetime], Iterable[tuple[str, LogLine]]],
    since: dt.datetime,
    *,
    interval: float = 1.0,
) -> Iterator[LogLine]:
    """Yield the lines of a stored log, and then its new lines without end, each line only once.

    Each call of ``read`` begins one minute before the newest line, so that calls stay short and
    late lines are not lost. ``follow_history`` knows all lines of this minute, so it repeats none
    of them.

    :param read: returns the lines since a time, each with the platform's id for the line. If the id
        is empty, lines are compared as in ``follow_logs``.
    :param since: time of the first line.
    :param interval: seconds between two calls.
    """
    newest = since

    def get_start() -> dt.datetime:
        return max(since, newest - _DELAY)

    def read_newest() -> Iterator[tuple[str, LogLine]]:
        nonlocal newest
        for line_id, line in read(get_start()):
            if line.time:
                newest = max(newest, _limit(line.time))
            yield line_id, line

    return _follow(read_newest, get_start, interval=interval)


def _follow(
    read: Callable[[], Iterable[tuple[str, LogLine]]],
    get_start: Callable[[], dt.datetime | None],
    *,
    after: dt.datetime | None = None,
    interval: float,
) -> Iterator[LogLine]:
    """Yield new lines; each ``read`` may return again the lines since ``get_start()``."""
    shown: collections.OrderedDict[Hashable, dt.datetime | None] = collections.OrderedDict()
    while True:
        counts: collections.OrderedDict[LogLine, int] = collections.OrderedDict()
        for line_id, line in read():
            key: Hashable = line_id or (line, _count(line, counts, max(_RECENT, len(shown))))
            if key in shown or (after and line.time and line.time <= after):
                continue
            shown[key] = line.time and _limit(line.time)
            _remove_oldest(shown, get_start())
            yield line
        sleep(interval)


def _count(line: LogLine, counts: collections.OrderedDict[LogLine, int], limit: int) -> int:
    """Count the arrivals of a line and return their number; forget the oldest line at the limit."""
    counts[line] = counts.get(line, 0) + 1
    if len(counts) > limit:
        counts.popitem(last=False)
    return counts.get(line, 1)


def _remove_oldest(
    times: collections.OrderedDict[Hashable, dt.datetime | None], start: dt.datetime | None
) -> None:
    """Remove the oldest lines beyond the limit, but keep lines since ``start`` for comparison."""
    while len(times) > _RECENT:
        time = next(iter(times.values()))
        if start and time and time >= start:
            return
        times.popitem(last=False)


def _limit(time: dt.datetime) -> dt.datetime:
    """Return a time, but at most now: later lines would be hidden by a line from the future."""
    return min(time, dt.datetime.now(dt.UTC))
