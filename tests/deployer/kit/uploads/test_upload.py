"""``upload``, against a real HTTP server."""

import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from mastra_core.errors import ApiError
from mastra_core.pipeline import SilentReport
from mastra_deployer.kit import connect, upload
from mastra_deployer.kit.clock import now, skip_waits
from mastra_deployer.kit.uploads.adaptive_limiter import AdaptiveLimiter
from tests.scripted_server import serve


class ProgressRecorder(SilentReport):
    def __init__(self):
        self.events = []

    def advance(self, done, total, unit="B"):
        self.events.append((done, total))


class BusyPlatform:
    """Accepts ``maximum`` requests at a time, and answers 429 to the others."""

    def __init__(self, maximum, headers=None, delay=0.01):
        self.maximum, self.headers, self.delay = maximum, headers or {}, delay
        self.active = self.peak = self.rejections = 0
        self.lock = threading.Lock()

    def __call__(self, request):
        with self.lock:
            self.active += 1
            self.peak = max(self.peak, self.active)
            accepted = self.active <= self.maximum
            self.rejections += not accepted
        time.sleep(self.delay)
        with self.lock:
            self.active -= 1
        return (200, {}, {}) if accepted else (429, self.headers, {})


def test_results_are_in_order_and_progress_counts_bytes():
    report = ProgressRecorder()
    results = upload(range(50), lambda n: n * 2, report=report, size=lambda n: n + 1)
    assert results == [n * 2 for n in range(50)]
    assert report.events[0] == (0, 1275)
    assert report.events[-1] == (1275, 1275)
    assert report.events == sorted(report.events)


def test_no_items_give_no_results():
    assert upload([], print, report=SilentReport()) == []


def test_items_may_be_none():
    assert upload([None, None], lambda item: item, report=SilentReport()) == [None, None]


@pytest.mark.parametrize(("concurrency", "limit"), [(20, 20), (100, 25), (1, 1), (0, 1)])
def test_concurrency_is_limited(concurrency, limit):
    platform = BusyPlatform(1000, delay=0.2)
    with serve(platform) as server, connect(server.url) as client:
        responses = upload(
            range(4 * limit),
            lambda n: client.put(f"/{n}"),
            report=SilentReport(),
            concurrency=concurrency,
        )
    assert len(responses) == 4 * limit
    assert limit / 2 < platform.peak <= limit


def test_it_stops_at_the_first_failure():
    sent = []

    def send(number):
        sent.append(number)
        if number == 3:
            raise ApiError("no")

    with pytest.raises(ApiError, match="no"):
        upload(range(10_000), send, report=SilentReport(), concurrency=2)
    assert len(sent) < 10_000


def test_a_failure_cancels_the_waits_of_the_other_threads():
    """One request is rejected while the others have to wait for 50 seconds."""
    waiting = threading.Semaphore(0)

    def answer(request):
        if request.path == "/0":
            assert waiting.acquire(timeout=20)
            return 422, {}, {"message": "too odd"}
        waiting.release()
        return 429, {"retry-after": "50"}, {}

    with serve(answer) as server, connect(server.url) as client:
        start = now()
        with pytest.raises(ApiError, match="too odd"):
            upload(range(20), lambda n: client.put(f"/{n}"), report=SilentReport())
        assert now() - start < 45


@pytest.mark.parametrize("headers", [{}, {"retry-after": "1"}])
def test_concurrency_falls_while_requests_are_rejected(headers):
    platform = BusyPlatform(3, headers)
    with serve(platform) as server, connect(server.url) as client, skip_waits():
        responses = upload(range(300), lambda n: client.put(f"/{n}"), report=SilentReport())
    assert [response.status_code for response in responses] == [200] * 300
    assert platform.rejections < 300, "the concurrency did not fall"


def test_every_item_is_sent_once_where_a_quarter_of_the_requests_fails():
    import random

    attempts, paths, lock = Counter(), [], threading.Lock()

    def answer(request):
        with lock:
            attempts[request.path] += 1
            # Seeded by path and attempt, so that the order of threads has no effect.
            rng = random.Random(f"{request.path} {attempts[request.path]}")
            if rng.random() < 0.25:
                return rng.choice((0, 429, 500, 503)), {}, {}
            paths.append(request.path)
        return 200, {}, {}

    with serve(answer) as server, connect(server.url) as client, skip_waits():
        upload(range(200), lambda n: client.put(f"/{n}"), report=SilentReport())
    assert sorted(paths) == sorted(f"/{n}" for n in range(200))


def test_the_limiter_halves_once_for_all_requests_under_way_and_grows_again():
    with skip_waits():
        limiter = AdaptiveLimiter(20)
        start = now()
        for _ in range(20):
            limiter.slow_down(start, 1.0)
        assert limiter.limit == 10
        for _ in range(6):
            limiter.slow_down(now(), 0.0)
        assert limiter.limit == 1
        for _ in range(30):
            limiter.speed_up()
        assert 5 < limiter.limit < 12
        for _ in range(1000):
            limiter.speed_up()
        assert limiter.limit == 20


def test_a_thread_that_waits_for_a_retry_yields_its_slot():
    limiter, order = AdaptiveLimiter(1), []

    def run_first():
        with limiter.slot():
            order.append("first")
            limiter.yield_slot(0.2)
            order.append("first again")

    thread = threading.Thread(target=run_first)
    with limiter.slot():
        thread.start()
    while "first" not in order:
        time.sleep(0.001)
    with limiter.slot():
        order.append("second")
    thread.join()
    assert order == ["first", "second", "first again"]


UPLOAD_SCRIPT = """
import sys
from mastra_core.pipeline import SilentReport
from mastra_deployer.kit import connect
from mastra_deployer.kit import upload

with connect(sys.argv[1]) as client:
    upload(range(100), lambda n: client.put(f"/{n}"), report=SilentReport())
"""


@pytest.mark.parametrize(("behaviour", "requests"), [("retry-after", 1), ("hang", 20)])
def test_ctrl_c_ends_an_upload_at_once(behaviour, requests):
    """All threads wait, either for a retry or for a response."""
    arrivals, end = threading.Semaphore(0), threading.Event()

    def answer(request):
        arrivals.release()
        if behaviour == "hang":
            end.wait(60)
        return 429, {"retry-after": "55"}, {}

    with serve(answer) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", UPLOAD_SCRIPT, server.url], stderr=subprocess.PIPE, text=True
        )
        for _ in range(requests):
            assert arrivals.acquire(timeout=30)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
        end.set()
    assert "KeyboardInterrupt" in stderr
    assert "Exception in thread" not in stderr
