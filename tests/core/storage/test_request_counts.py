"""Requests that several processes count in one database."""

import asyncio

import pytest

from mastra_core.storage.request_counts import RequestCounts


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'app.db'}"
    return request.getfixturevalue("postgres_url")


def test_two_processes_share_one_limit(url):
    async def work():
        one, two = RequestCounts(url), RequestCounts(url)
        usages = await asyncio.gather(
            *((one, two)[n % 2].count("ann", 10, 60, 1000.0) for n in range(30)),
        )
        other = await one.count("bob", 10, 60, 1000.0)
        await one.close()
        await two.close()
        return usages, other

    usages, other = asyncio.run(work())
    assert [usage.is_allowed for usage in usages].count(True) == 10
    assert max(usage.requests for usage in usages) == 10
    assert usages[0].resets_at == 1020
    assert other.is_allowed


def test_the_window_moves(url):
    async def work():
        counts = RequestCounts(url)
        times = [960.0] * 4 + [1019.0, 1021.0, 1050.0, 1050.0, 1080.0, 1200.0]
        allowed = [(await counts.count("ann", 4, 60, now)).is_allowed for now in times]
        await counts.close()
        return allowed

    # At 1021, 98 % of four requests count, and at 1050 half of them.
    expected = [True] * 4 + [False, False, True, True, True, True]
    assert asyncio.run(work()) == expected
