"""Many things at once, against a real HTTP server."""

import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from mastra_core.errors import ApiError
from mastra_core.pipeline import Silent
from mastra_deployer.kit import connect, upload
from mastra_deployer.kit.adaptive_limiter import Pace
from mastra_deployer.kit.clock import no_waiting, now
from tests.deployer.kit.scripted_server import serving


class Told(Silent):
    def __init__(self):
        self.all = []

    def advance(self, done, total, unit="B"):
        self.all.append((done, total))


class Busy:
    """Takes so many requests at a time, and refuses the others."""

    def __init__(self, most, headers=None, hold=0.01):
        self.most, self.headers, self.hold = most, headers or {}, hold
        self.active = self.peak = self.refused = 0
        self.lock = threading.Lock()

    def __call__(self, request):
        with self.lock:
            self.active += 1
            self.peak = max(self.peak, self.active)
            fits = self.active <= self.most
            self.refused += not fits
        time.sleep(self.hold)
        with self.lock:
            self.active -= 1
        return (200, {}, {}) if fits else (429, self.headers, {})


def test_results_come_in_order_and_progress_counts_bytes():
    told = Told()
    made = upload(range(50), lambda n: n * 2, report=told, size=lambda n: n + 1)
    assert made == [n * 2 for n in range(50)]
    assert told.all[0] == (0, 1275)
    assert told.all[-1] == (1275, 1275)
    assert told.all == sorted(told.all)


def test_nothing_to_send_is_fine():
    assert upload([], print, report=Silent()) == []


def test_items_may_be_none():
    assert upload([None, None], lambda item: item, report=Silent()) == [None, None]


@pytest.mark.parametrize(("asked", "most"), [(20, 20), (100, 25), (1, 1), (0, 1)])
def test_no_more_than_asked_are_sent_at_a_time(asked, most):
    platform = Busy(1000, hold=0.02)
    with serving(platform) as server, connect(server.url) as client:
        sent = upload(range(100), lambda n: client.put(f"/{n}"), report=Silent(), concurrency=asked)
    assert len(sent) == 100
    assert most / 2 < platform.peak <= most


def test_it_stops_at_the_first_failure():
    sent = []

    def send(number):
        sent.append(number)
        if number == 3:
            raise ApiError("no")

    with pytest.raises(ApiError, match="no"):
        upload(range(10_000), send, report=Silent(), concurrency=2)
    assert len(sent) < 10_000


def test_a_failure_ends_the_waits_of_the_others():
    """The others are told to come again in 50 s, and one is refused."""
    waiting = threading.Semaphore(0)

    def answer(request):
        if request.path == "/0":
            assert waiting.acquire(timeout=20)
            return 422, {}, {"message": "too odd"}
        waiting.release()
        return 429, {"retry-after": "50"}, {}

    with serving(answer) as server, connect(server.url) as client:
        begun = now()
        with pytest.raises(ApiError, match="too odd"):
            upload(range(20), lambda n: client.put(f"/{n}"), report=Silent())
        assert now() - begun < 45


@pytest.mark.parametrize("headers", [{}, {"retry-after": "1"}])
def test_fewer_are_sent_where_it_is_too_much(headers):
    platform = Busy(3, headers)
    with serving(platform) as server, connect(server.url) as client, no_waiting():
        sent = upload(range(300), lambda n: client.put(f"/{n}"), report=Silent())
    assert [answer.status_code for answer in sent] == [200] * 300
    assert platform.refused < 300, "it went on at full speed"


def test_a_quarter_of_all_refused_and_dropped_still_arrives_once():
    import random

    times, there, lock = Counter(), [], threading.Lock()

    def answer(request):
        with lock:
            times[request.path] += 1  # by path and time, so that the order of threads is no chance
            chance = random.Random(f"{request.path} {times[request.path]}")
            if chance.random() < 0.25:
                return chance.choice((0, 429, 500, 503)), {}, {}
            there.append(request.path)
        return 200, {}, {}

    with serving(answer) as server, connect(server.url) as client, no_waiting():
        upload(range(200), lambda n: client.put(f"/{n}"), report=Silent())
    assert sorted(there) == sorted(f"/{n}" for n in range(200))


def test_the_pace_halves_once_for_all_that_were_under_way_and_grows_again():
    with no_waiting():
        pace = Pace(20)
        begun = now()
        for _ in range(20):
            pace.slow_down(begun, 1.0)
        assert pace.limit == 10
        for _ in range(6):
            pace.slow_down(now(), 0.0)
        assert pace.limit == 1
        for _ in range(30):
            pace.speed_up()
        assert 5 < pace.limit < 12
        for _ in range(1000):
            pace.speed_up()
        assert pace.limit == 20


def test_who_waits_for_a_retry_makes_room():
    pace, turns = Pace(1), []

    def first():
        with pace.turn():
            turns.append("first")
            pace.step_aside(0.2)
            turns.append("first again")

    thread = threading.Thread(target=first)
    with pace.turn():
        thread.start()
    while "first" not in turns:
        time.sleep(0.001)
    with pace.turn():
        turns.append("second")
    thread.join()
    assert turns == ["first", "second", "first again"]


INTERRUPTED = """
import sys
from mastra_core.pipeline import Silent
from mastra_deployer.kit import connect, upload

with connect(sys.argv[1]) as client:
    upload(range(100), lambda n: client.put(f"/{n}"), report=Silent())
"""


@pytest.mark.parametrize(("answer", "arriving"), [("waits", 1), ("hangs", 20)])
def test_ctrl_c_ends_it_at_once(answer, arriving):
    """All threads wait, for the time they were told or for an answer."""
    arrived, over = threading.Semaphore(0), threading.Event()

    def hold(request):
        arrived.release()
        if answer == "hangs":
            over.wait(60)
        return 429, {"retry-after": "55"}, {}

    with serving(hold) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, server.url], stderr=subprocess.PIPE, text=True
        )
        for _ in range(arriving):
            assert arrived.acquire(timeout=30)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        over.set()
    assert "KeyboardInterrupt" in said
    assert "Exception in thread" not in said
