"""The smoke test against deployments that drip, never end, or set cookies."""

import datetime as dt
import time

import pytest

from mastra_core.errors import DeploymentFailed
from mastra_core.pipeline import Deployment, SilentReport
from mastra_deployer.pipeline import smoke_test
from tests.deployer.attacks import hostile_server
from tests.scripted_server import serve


@pytest.fixture
def site():
    with serve() as server:
        yield server


def request(site):
    deployment = Deployment(
        target="acme",
        id="1",
        url=site.url,
        environment="production",
        created=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        live=True,
    )
    return smoke_test.run_smoke_test(
        deployment, smoke_test.SmokeCheck("/health"), SilentReport(), timeout=0.1
    )


@pytest.mark.parametrize("answer", [hostile_server.endless_body, hostile_server.dripping_body])
def test_an_endless_page_that_answers_well_passes(site, answer):
    site.answer = answer
    assert request(site).status == 200


@pytest.mark.parametrize(
    "answer",
    [
        hostile_server.dripping_headers,
        hostile_server.redirect_loop,
        hostile_server.redirect_to_metadata,
    ],
)
def test_a_page_that_never_answers_fails_in_time(site, answer, monkeypatch):
    monkeypatch.setattr(smoke_test, "_REQUEST_TIMEOUT", 0.2)
    site.answer = answer
    start = time.monotonic()
    with pytest.raises(DeploymentFailed, match="/health "):
        request(site)
    assert time.monotonic() - start < 20  # the server would go on without end


def test_no_cookies_are_kept(site, monkeypatch):
    site.answers = [(302, {"location": "/next", "set-cookie": "session=1; Path=/"}, {})]
    assert request(site).status == 200
    assert "cookie" not in {name.lower() for name in site.headers[-1]}
