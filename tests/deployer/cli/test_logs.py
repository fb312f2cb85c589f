"""The time of `mastra logs --since`."""

import datetime as dt

import pytest

from mastra_core.errors import ConfigError
from mastra_deployer.cli.logs import parse_time

NOW = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


def test_an_age_and_a_time():
    assert parse_time("90m", NOW) == dt.datetime(2026, 1, 31, 10, 30, tzinfo=dt.UTC)
    assert parse_time("2026-01-30T08:00+00:00", NOW) == NOW - dt.timedelta(hours=28)


@pytest.mark.parametrize("text", ["x", "", "5y", "9999999d", "99999999999999d", "0001-01-01"])
def test_what_is_no_time(text):
    with pytest.raises(ConfigError, match="is not a time"):
        parse_time(text, NOW)
