"""``poll``, and the clock of the kit."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mastra_core.errors import DeployTimeout
from mastra_core.pipeline import SilentReport
from mastra_deployer.kit import poll
from mastra_deployer.kit.clock import now, skip_waits


@pytest.fixture(autouse=True)
def virtual_time():
    with skip_waits():
        yield


def test_the_first_value_may_be_final():
    start = now()
    assert poll(lambda: "ready", lambda state: state == "ready", timeout=10) == "ready"
    assert now() - start < 0.5


def test_the_interval_grows():
    times = []

    def fetch():
        times.append(now())
        return len(times) > 20

    assert poll(fetch, bool, timeout=600) is True
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    expected = [min(15, 1.5**number) for number in range(20)]
    assert all(wait >= least for wait, least in zip(waits, expected, strict=True))
    assert sum(waits) < sum(expected) + 60


def test_a_timeout_names_what_was_waited_for():
    start, calls = now(), []
    with pytest.raises(DeployTimeout) as raised:
        poll(lambda: calls.append(1), lambda _: False, timeout=300, description="the build")
    assert raised.value.message == "The build did not finish within 5 min."
    assert raised.value.hint
    assert now() - start == pytest.approx(300, abs=30)
    assert len(calls) > 20


def test_progress_is_reported_in_seconds():
    events = []

    class Report(SilentReport):
        def advance(self, done, total, unit="B"):
            events.append((done, total, unit))

    with pytest.raises(DeployTimeout):
        poll(lambda: 0, bool, timeout=20, report=Report())
    assert events[0] == (0, 20, "s")
    assert events == sorted(events)
    assert len(events) > 4


def test_simultaneous_waits_overlap():
    """Virtual time advances for all threads: twenty waits of 10 seconds do not take 200."""
    from mastra_deployer.kit.clock import sleep

    start, barrier = now(), threading.Barrier(20)

    def wait(_):
        barrier.wait()
        sleep(10)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(wait, range(20)))
    assert 10 <= now() - start <= 200


def test_virtual_time_ends_with_the_outermost_block():
    from mastra_deployer.kit import clock

    with skip_waits():
        clock.sleep(1000)
    # The block of the fixture is still active, so a wait takes no time.
    start = time.monotonic()
    clock.sleep(1000)
    assert time.monotonic() - start < 100
