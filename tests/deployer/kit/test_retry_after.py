"""When to come again, in every form that platforms say it, against a real HTTP server."""

import datetime as dt
from email.utils import format_datetime

import pytest

from mastra_core.errors import ApiError
from mastra_deployer.kit import connect
from mastra_deployer.kit.clock import no_waiting, now
from tests.deployer.kit.scripted_server import serving

# The platform's clock is two hours ahead of this machine's.
THERE = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=2)
DATE = {"date": format_datetime(THERE, usegmt=True)}
SOON = THERE + dt.timedelta(seconds=30)
HERE = dt.datetime.now(dt.UTC)


def _named(value):
    """Without times: two workers collect the tests at two, and must name them alike."""
    return "-".join(value) if isinstance(value, dict) else str(value)


@pytest.fixture
def platform():
    with serving() as server, no_waiting():
        yield server


def waited(platform, status, headers, method="GET"):
    """Seconds that passed before the request was made again."""
    platform.answers = [(status, headers, {})]
    with connect(platform.url) as client:
        begun = now()
        assert client.request(method, "/x").status_code == 200
    assert len(platform.seen) == 2
    return now() - begun


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "30"},
        {"retry-after": "30.0"},
        {"retry-after": format_datetime(SOON, usegmt=True), **DATE},
        {"retry-after": SOON.isoformat(), **DATE},
        {"retry-after": SOON.strftime("%Y-%m-%d %H:%M:%S UTC"), **DATE},
        {"retry-after-ms": "30000"},
        {"x-ms-retry-after-ms": "30000"},
        {"retry-after-ms": "30000", "retry-after": "31"},
        {"ratelimit-reset": "30"},
        {"x-ratelimit-reset": "30"},
        {"x-rate-limit-reset": "30"},
        {"x-ratelimit-reset": str(int(SOON.timestamp())), **DATE},
        {"x-ratelimit-reset": str(int(SOON.timestamp() * 1000)), **DATE},
        {"x-ratelimit-reset": SOON.strftime("%Y-%m-%d %H:%M:%S UTC"), **DATE},
        {"x-ratelimit-reset": "30", "x-ratelimit-remaining": "0"},
        {"ratelimit": '"default";r=0;t=30'},
        {"ratelimit": '"burst";r=0;t=30, "day";r=17;t=50000'},
        {"ratelimit": "limit=100, remaining=0, reset=30"},
        {"ratelimit": '"default"; r=0; t=30', "ratelimit-policy": '"default";q=100;w=60'},
        {"retry-after": "rubbish", "x-ratelimit-reset": "30"},
    ],
    ids=_named,
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_platforms_time_is_kept(platform, headers, method):
    assert 28 < waited(platform, 429, headers, method) < 45


def test_a_time_without_the_platforms_date_goes_by_this_clock(platform):
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=31)).timestamp()
    assert 28 < waited(platform, 429, {"x-ratelimit-reset": str(int(soon))}) < 45


def test_a_fraction_of_a_second_is_one(platform):
    assert waited(platform, 429, {"retry-after": "0.5"}) < 15


@pytest.mark.parametrize("status", [503, 429])
def test_busy_and_limited_are_asked_for_the_time(platform, status):
    assert 28 < waited(platform, status, {"retry-after": "30"}) < 45


def test_a_403_with_nothing_left_is_a_limit(platform):
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}
    assert 28 < waited(platform, 403, reset) < 45


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (500, {"retry-after": "30"}),  # broken, not busy
        (502, {"x-ratelimit-reset": "3000"}),
        (503, {"x-ratelimit-reset": "3000", "x-ratelimit-remaining": "4999"}),
        (429, {"retry-after": "-1"}),
        (429, {"retry-after": format_datetime(THERE - dt.timedelta(days=9)), **DATE}),
        (429, {"retry-after": "nan"}),
        (429, {"retry-after": "inf"}),
        (429, {"retry-after": "Fri, 31 Dec 9999 23:59:59 +99999999999999"}),
        (429, {"x-ratelimit-reset": ""}),
        (429, {"ratelimit": "???;;=,"}),
    ],
    ids=_named,
)
def test_what_says_nothing_of_use_is_not_waited_for(platform, status, headers):
    assert waited(platform, status, headers) < 25


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"retry-after": "86400"}, "24 hours"),
        ({"retry-after": "61"}, "61 seconds"),
        ({"x-ratelimit-reset": "600"}, "10 minutes"),
        ({"retry-after": "604800"}, "7 days"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_long_wait_is_told_and_not_slept(platform, method, headers, words):
    platform.answers = [(429, headers, {"error": {"message": "quota is used up"}})]
    begun = now()
    with connect(platform.url) as client, pytest.raises(ApiError, match="used up") as raised:
        client.request(method, "/x")
    assert words in raised.value.message
    assert "again" in raised.value.hint
    assert raised.value.status == 429
    assert len(platform.seen) == 1
    assert now() - begun < 30


def test_a_403_that_is_a_limit_is_no_matter_of_the_token(platform):
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "3000"}
    platform.answers = [(403, reset, {"message": "limit"})]
    with connect(platform.url) as client, pytest.raises(ApiError) as raised:
        client.get("/x")
    assert raised.value.status == 403


def test_who_says_when_is_asked_more_often(platform):
    platform.answers = [(429, {"retry-after": "2"}, {})] * 11
    with connect(platform.url) as client:
        assert client.get("/x").status_code == 200
    assert len(platform.seen) == 12
