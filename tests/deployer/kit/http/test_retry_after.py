"""``Retry-After`` and its variants, against a real HTTP server."""

import datetime as dt
from email.utils import format_datetime

import pytest

from mastra_core.errors import ApiError
from mastra_deployer.kit import connect
from mastra_deployer.kit.clock import now, skip_waits
from tests.scripted_server import serve

# The platform's clock is two hours ahead of this machine's.
PLATFORM_TIME = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=2)
DATE = {"date": format_datetime(PLATFORM_TIME, usegmt=True)}
SOON = PLATFORM_TIME + dt.timedelta(seconds=30)


def _format_id(value):
    """Return an id without times: all workers must collect the same ids."""
    return "-".join(value) if isinstance(value, dict) else str(value)[:40]


@pytest.fixture
def platform():
    with serve() as server, skip_waits():
        yield server


def measure_wait(platform, status, headers, method="GET"):
    """Return the seconds that passed before the request was repeated."""
    platform.answers = [(status, headers, {})]
    with connect(platform.url) as client:
        start = now()
        assert client.request(method, "/x").status_code == 200
    assert len(platform.seen) == 2
    return now() - start


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
    ids=_format_id,
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_platforms_wait_is_kept(platform, headers, method):
    assert 28 < measure_wait(platform, 429, headers, method) < 45


def test_a_time_without_a_date_header_uses_the_local_clock(platform):
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=31)).timestamp()
    assert 28 < measure_wait(platform, 429, {"x-ratelimit-reset": str(int(soon))}) < 45


def test_a_wait_may_be_a_fraction_of_a_second(platform):
    assert measure_wait(platform, 429, {"retry-after": "0.5"}) < 15


@pytest.mark.parametrize("status", [503, 429])
def test_429_and_503_state_a_wait(platform, status):
    assert 28 < measure_wait(platform, status, {"retry-after": "30"}) < 45


def test_a_403_with_a_used_up_allowance_states_a_wait(platform):
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}
    assert 28 < measure_wait(platform, 403, reset) < 45


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (500, {"retry-after": "30"}),  # broken, not busy
        (502, {"x-ratelimit-reset": "3000"}),
        (503, {"x-ratelimit-reset": "3000", "x-ratelimit-remaining": "4999"}),
        (429, {"retry-after": "-1"}),
        (429, {"retry-after": format_datetime(PLATFORM_TIME - dt.timedelta(days=9)), **DATE}),
        (429, {"retry-after": "nan"}),
        (429, {"retry-after": "inf"}),
        (429, {"retry-after": "Fri, 31 Dec 9999 23:59:59 +99999999999999"}),
        (429, {"x-ratelimit-reset": ""}),
        (429, {"ratelimit": "???;;=,"}),
        (429, {"ratelimit": f'"default";r=0;t={"9" * 400}'}),
        (429, {"ratelimit": f'"default";r=0;t={"9" * 5000}'}),
        (429, {"ratelimit": f'"default";r={"9" * 400};t=3000'}),
        (429, {"retry-after": "9" * 400}),
        (429, {"retry-after-ms": "9" * 5000}),
        (429, {"x-ratelimit-reset": "-" + "9" * 300}),
    ],
    ids=_format_id,
)
def test_unusable_headers_are_ignored(platform, status, headers):
    assert measure_wait(platform, status, headers) < 25


@pytest.mark.parametrize(
    ("headers", "duration"),
    [
        ({"retry-after": "86400"}, "24 hours"),
        ({"retry-after": "61"}, "61 seconds"),
        ({"x-ratelimit-reset": "600"}, "10 minutes"),
        ({"retry-after": "604800"}, "7 days"),
        ({"retry-after": "1e300"}, "after more than a year"),
        ({"ratelimit": f'"default";r=0;t={"9" * 300}'}, "after more than a year"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_long_wait_is_an_error(platform, method, headers, duration):
    platform.answers = [(429, headers, {"error": {"message": "quota is used up"}})]
    start = now()
    with connect(platform.url) as client, pytest.raises(ApiError, match="used up") as raised:
        client.request(method, "/x")
    assert duration in raised.value.message
    assert "again" in raised.value.hint
    assert raised.value.status == 429
    assert len(platform.seen) == 1
    assert now() - start < 30


def test_a_rate_limited_403_is_no_auth_error(platform):
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "3000"}
    platform.answers = [(403, reset, {"message": "limit"})]
    with connect(platform.url) as client, pytest.raises(ApiError) as raised:
        client.get("/x")
    assert raised.value.status == 403


def test_a_stated_wait_allows_twelve_attempts(platform):
    platform.answers = [(429, {"retry-after": "2"}, {})] * 11
    with connect(platform.url) as client:
        assert client.get("/x").status_code == 200
    assert len(platform.seen) == 12
