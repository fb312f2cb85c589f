"""Times of cron expressions, also where the clock is changed."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest

from mastra_core.errors import ConfigError
from mastra_core.workflows.model.cron_expression import CronExpression

BERLIN = ZoneInfo("Europe/Berlin")  # from 02:00 to 03:00 on 2025-03-30, and back on 2025-10-26
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # changes its clock by 30 minutes


def list_times(cron, start, count, zone=dt.UTC):
    expression, moment = CronExpression(cron), dt.datetime.fromisoformat(start).replace(tzinfo=zone)
    times = []
    for _ in range(count):
        moment = expression.find_next(moment, zone).astimezone(zone)
        times.append(moment)
    return times


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("*/20 9-10 * * *", "2025-01-01 09:00, 2025-01-01 09:20, 2025-01-01 09:40"),
        ("0 9 * * MON-FRI", "2025-01-01 09:00, 2025-01-02 09:00, 2025-01-03 09:00"),
        ("30 8 * * sat,7", "2025-01-04 08:30, 2025-01-05 08:30, 2025-01-11 08:30"),
        ("0 0 L * ?", "2025-01-31 00:00, 2025-02-28 00:00, 2025-03-31 00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00, 2032-02-29 00:00, 2036-02-29 00:00"),
        ("0 0 13 * 5", "2025-01-03 00:00, 2025-01-10 00:00, 2025-01-13 00:00"),
        ("0 0 */14 * 1", "2025-09-01 00:00, 2025-09-15 00:00, 2025-09-29 00:00"),
        ("0 5/6 1 JAN-MAR/2 *", "2025-01-01 05:00, 2025-01-01 11:00, 2025-01-01 17:00"),
        ("@monthly", "2025-02-01 00:00, 2025-03-01 00:00, 2025-04-01 00:00"),
        ("15 30 12 1 1 *", "2025-01-01 12:30, 2026-01-01 12:30, 2027-01-01 12:30"),
    ],
)
def test_fields(cron, expected):
    times = list_times(cron, "2025-01-01 00:00", 3)
    assert ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in times) == expected
    assert {time.second for time in times} == {15 if cron.startswith("15") else 0}


def test_time_is_after_the_moment():
    cron = CronExpression("0 9 * * *")
    nine = dt.datetime(2025, 1, 1, 9, tzinfo=dt.UTC)
    assert cron.find_next(nine, dt.UTC) == nine + dt.timedelta(days=1)
    assert cron.find_next(nine - dt.timedelta(microseconds=1), dt.UTC) == nine


@pytest.mark.parametrize(
    ("cron", "start", "zone", "expected"),
    [
        # A skipped time is moved, and a time that occurs twice counts once.
        ("30 2 * * *", "2025-03-29 12:00", BERLIN, "30T03:30+02, 31T02:30+02"),
        ("10,40 2 * * *", "2025-03-30 01:30", BERLIN, "30T03:10+02, 30T03:40+02, 31T02:10+02"),
        ("30 2 * * *", "2025-10-25 12:00", BERLIN, "26T02:30+02, 27T02:30+01"),
        ("15 3 * * *", "2025-03-29 12:00", BERLIN, "30T03:15+02, 31T03:15+02"),
        # An interval goes on regularly.
        ("0 * * * *", "2025-03-30 00:30", BERLIN, "30T01:00+01, 30T03:00+02, 30T04:00+02"),
        ("0 * * * *", "2025-10-26 01:30", BERLIN, "26T02:00+02, 26T02:00+01, 26T03:00+01"),
        ("*/30 2 * * *", "2025-03-29 12:00", BERLIN, "31T02:00+02, 31T02:30+02"),
        ("*/15 * * * *", "2025-04-06 01:40", LORD_HOWE, "06T01:45+11, 06T01:30+10, 06T01:45+10"),
    ],
)
def test_changes_of_the_clock(cron, start, zone, expected):
    times = list_times(cron, start, expected.count(",") + 1, zone)
    assert ", ".join(f"{time:%dT%H:%M%z}"[:11].removesuffix("00") for time in times) == expected


def test_skipped_time_is_found_between_the_change_and_its_new_time():
    """In Antarctica/Troll, the clock goes from 01:00 to 03:00."""
    zone, change = ZoneInfo("Antarctica/Troll"), dt.datetime(2025, 3, 30, 1, tzinfo=dt.UTC)
    for minutes in (-1, 0, 29):
        found = CronExpression("30 1 * * *").find_next(change + dt.timedelta(minutes=minutes), zone)
        assert found == change + dt.timedelta(minutes=30)


@pytest.mark.parametrize(
    "cron",
    ["", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
     "* * * * 8", "*/0 * * * *", "5-1 * * * *", "a * * * *", "1,,2 * * * *", "-1 * * * *",
     "1.5 * * * *", "* * * FOO *", "* * L-3 * *", "@often", "0 0 30 2 *", "¹ * * * *", None, 5],
)  # fmt: skip
def test_invalid_expression_is_refused(cron):
    with pytest.raises(ConfigError) as caught:
        CronExpression(cron)
    assert repr(cron) in str(caught.value)
    assert caught.value.hint


def test_names_of_months_do_not_depend_on_the_locale(tmp_path):
    """In German, December is DEZ."""
    name = tmp_path / "de_DE.UTF-8"
    program = shutil.which("localedef")
    if (
        program is None
        or subprocess.run(
            [program, "-i", "de_DE", "-f", "UTF-8", name], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("localedef cannot build a German locale")
    script = (
        "import locale; locale.setlocale(locale.LC_ALL, 'de_DE.UTF-8')\n"
        "from mastra_core import Schedule\n"
        "print(Schedule('0 0 1 DEC *').find_next(0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"LOCPATH": str(tmp_path)},
        check=True,
    )
    assert done.stdout == "28857600000\n"
