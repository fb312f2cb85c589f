"""Logs that a platform sends again and again, each line once."""

import datetime as dt
import gc
import itertools
import json

import pytest

from mastra_core.pipeline import LogLine
from mastra_deployer.kit import connect, follow_history, follow_logs, iter_lines
from mastra_deployer.kit.clock import now, skip_waits
from tests.scripted_server import serve

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def row(text, id="", minute=1):
    return {"id": id, "text": text, "time": (START + dt.timedelta(minutes=minute)).isoformat()}


@pytest.fixture
def follow():
    """Return a function that follows a log, whose streams are given, for some lines."""
    with serve() as platform, connect(platform.url) as client, skip_waits():

        def read():
            with client.stream("GET", "/log") as response:
                for text in iter_lines(response):
                    item = json.loads(text)
                    time = dt.datetime.fromisoformat(item["time"])
                    yield item["id"], LogLine(text=item["text"], time=time)

        def run(streams, count, **options):
            platform.answers = [
                (200, {}, "".join(json.dumps(each) + "\n" for each in rows).encode())
                for rows in streams
            ]
            return [line.text for line in itertools.islice(follow_logs(read, **options), count)]

        yield run


def test_a_line_that_is_repeated_is_shown_once(follow):
    first = [row("a", "1"), row("b", "2")]
    assert follow([first, [*first, row("c", "3")]], 3) == ["a", "b", "c"]


def test_lines_with_the_same_text_are_two_lines(follow):
    assert follow([[row("a", "1"), row("a", "2")], [row("b", "3")]], 3) == ["a", "a", "b"]


def test_lines_without_ids_are_compared(follow):
    first = [row("a"), row("a"), row("b")]
    assert follow([first, first, [*first, row("a"), row("c")]], 5) == ["a", "a", "b", "a", "c"]


def test_lines_that_were_shown_before_are_left_out(follow):
    rows = [row("old", "1", 0), row("same", "2", 1), row("new", "3", 2)]
    assert follow([rows], 1, after=START + dt.timedelta(minutes=1)) == ["new"]


def test_a_quiet_log_is_not_read_all_the_time(follow):
    start = now()
    assert follow([[], [], [], [row("a", "1")]], 1, interval=2.0) == ["a"]
    assert now() - start >= 6


def test_a_history_is_read_again_from_one_minute_before_its_newest_line():
    late = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    lines = [LogLine(text="a", time=START), LogLine(text="a", time=START)]
    later = {
        2: LogLine(text="b", time=START + dt.timedelta(hours=1)),
        3: LogLine(text="late", time=START + dt.timedelta(minutes=59, seconds=30)),
        4: LogLine(text="of a wrong clock", time=late),
    }
    times = []

    def read(since):
        times.append(since)
        lines.extend([later[len(times)]] if len(times) in later else [])
        return (("", line) for line in lines if line.time >= since)

    with skip_waits():
        texts = [line.text for line in itertools.islice(follow_history(read, START), 5)]
    assert texts == ["a", "a", "b", "late", "of a wrong clock"]
    assert times == [START, START, *[START + dt.timedelta(minutes=59)] * 2]


def test_a_minute_with_many_lines_is_shown_once():
    """The limit of 10,000 lines must not be smaller than what each call repeats."""
    lines = [
        LogLine(text=str(number), time=START + dt.timedelta(milliseconds=number))
        for number in range(10_050)
    ]
    last = LogLine(text="last", time=START + dt.timedelta(seconds=20))
    calls = itertools.count(1)

    def read(since):
        selected = [line for line in lines if line.time >= since]
        return [("", line) for line in (*selected, *([last] if next(calls) == 3 else []))]

    with skip_waits():
        texts = [line.text for line in itertools.islice(follow_history(read, START), 10_051)]
    assert texts == [*(line.text for line in lines), "last"]


def test_a_stream_without_end_needs_no_more_memory():
    stream = (("", LogLine(text=str(number), time=START)) for number in itertools.count())
    lines = follow_logs(lambda: stream)
    for _ in itertools.islice(lines, 40_000):
        pass
    assert sum(isinstance(item, LogLine) for item in gc.get_objects()) < 25_000
    lines.close()
