"""Waiting for something to be done, and for time to pass."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mastra_core.errors import DeployTimeout
from mastra_core.pipeline import Silent
from mastra_deployer.kit import poll
from mastra_deployer.kit.clock import no_waiting, now


@pytest.fixture(autouse=True)
def hurry():
    with no_waiting():
        yield


def test_the_first_answer_may_be_done():
    begun = now()
    assert poll(lambda: "ready", lambda state: state == "ready", timeout=10) == "ready"
    assert now() - begun < 0.5


def test_it_looks_ever_more_rarely():
    looks = []

    def look():
        looks.append(now())
        return len(looks) > 20

    assert poll(look, bool, timeout=600) is True
    pauses = [later - earlier for earlier, later in itertools.pairwise(looks)]
    wanted = [min(15, 1.5**number) for number in range(20)]
    assert all(pause >= least for pause, least in zip(pauses, wanted, strict=True))
    assert sum(pauses) < sum(wanted) + 60


def test_what_is_not_done_in_time_is_named():
    begun, looks = now(), []
    with pytest.raises(DeployTimeout) as raised:
        poll(lambda: looks.append(1), lambda _: False, timeout=300, what="the build")
    assert raised.value.message == "The build was not done after 5 min."
    assert raised.value.hint
    assert now() - begun == pytest.approx(300, abs=30)
    assert len(looks) > 20


def test_progress_tells_the_seconds():
    told = []

    class Report(Silent):
        def advance(self, done, total, unit="B"):
            told.append((done, total, unit))

    with pytest.raises(DeployTimeout):
        poll(lambda: 0, bool, timeout=20, report=Report())
    assert told[0] == (0, 20, "s")
    assert told == sorted(told)
    assert len(told) > 4


def test_waits_at_the_same_time_are_one_wait():
    """Time passes for all threads: twenty that wait ten seconds do not wait two hundred."""
    from mastra_deployer.kit.clock import sleep

    begun, together = now(), threading.Barrier(20)

    def wait(_):
        together.wait()
        sleep(10)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(wait, range(20)))
    assert 10 <= now() - begun <= 200


def test_time_goes_on_as_usual_afterwards():
    from mastra_deployer.kit import clock

    with no_waiting():
        clock.sleep(1000)
    # The outer one still holds, so a wait takes no time; what passed has passed.
    begun = time.monotonic()
    clock.sleep(1000)
    assert time.monotonic() - begun < 100
