"""The smoke test of a deployment, as far as it needs no command."""

import datetime as dt

import pytest

from mastra_core.errors import DeploymentFailed
from mastra_core.pipeline import Deployment, SilentReport
from mastra_deployer.pipeline.smoke_test import (
    SmokeCheck,
    choose_smoke_check,
    run_smoke_test,
)
from tests.scripted_server import serve

LOGIN = (200, {"content-type": "text/html"}, b"<title>Log in</title>")
HEALTHY = (200, {}, {"success": True})


def build_deployment(url):
    return Deployment(
        target="acme",
        id="1",
        url=url,
        environment="production",
        created=dt.datetime.now(dt.UTC),
    )


@pytest.fixture
def site():
    with serve() as server:
        yield server


@pytest.fixture
def other_site():
    """A server with another host name; both are this machine."""
    with serve() as server:
        server.url = server.url.replace("127.0.0.1", "localhost")
        yield server


class NoteRecorder(SilentReport):
    def __init__(self):
        self.notes = []

    def note(self, text, hint=""):
        self.notes.append((text, hint))


def request(site, kind, path=None, report=None):
    check = choose_smoke_check(kind, path)
    return run_smoke_test(build_deployment(site.url), check, report or SilentReport(), timeout=0.1)


def test_a_login_page_on_another_host_is_no_success(site, other_site):
    """The protection of a deployment redirects to such a page."""
    site.answer = lambda _: (302, {"location": f"{other_site.url}/sso"}, {})
    other_site.answer = lambda _: LOGIN
    with pytest.raises(DeploymentFailed, match="redirects to localhost, which is not the app") as e:
        request(site, "mastra")
    assert "mastra doctor" in e.value.hint and "--no-smoke" in e.value.hint
    assert "localhost" not in other_site.headers[0].get("authorization", "")


@pytest.mark.parametrize(("kind", "path"), [("asgi", None), ("mastra", "/docs")])
def test_a_redirect_whose_target_is_unknown_gives_a_note(site, other_site, kind, path):
    """The other host may be that of a login, or the app's own domain."""
    site.answer = lambda _: (302, {"location": f"{other_site.url}/sso"}, {})
    other_site.answer = lambda _: LOGIN
    report = NoteRecorder()
    result = request(site, kind, path, report)
    assert (result.status, result.other_host) == (200, "localhost")
    ((text, hint),) = report.notes
    assert "redirected to localhost" in text and "--smoke PATH" in hint


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_request_names_the_protection(site, status):
    site.answer = lambda _: (status, {}, {})
    with pytest.raises(DeploymentFailed, match=f"responds with status {status}") as raised:
        request(site, "mastra")
    assert "login protects the deployment" in raised.value.hint


def test_a_page_in_place_of_the_apps_answer_is_no_success(site):
    for answer in (LOGIN, (200, {}, {"success": False}), (200, {}, b" " * 5000), (200, {}, b"")):
        site.answer = lambda _, answer=answer: answer
        with pytest.raises(DeploymentFailed, match="but not with the app's answer"):
            request(site, "mastra")


def test_an_app_that_answers_at_another_host_passes(site, other_site):
    """A platform may redirect its own name to the domain of the app."""
    site.answer = lambda _: (301, {"location": f"{other_site.url}/health"}, {})
    other_site.answer = lambda _: HEALTHY
    assert request(site, "mastra").status == 200


@pytest.mark.parametrize("address", ["https://xn--/", "https://acme..example/", "mailto:a"])
def test_a_redirect_to_an_invalid_address_is_no_success(site, address):
    site.answer = lambda _: (302, {"location": address}, {})
    with pytest.raises(DeploymentFailed, match=site.url):
        request(site, "mastra")


def test_a_redirect_on_the_same_host_is_followed(site):
    site.answers = [(302, {"location": "/home"}, {}), LOGIN]
    assert request(site, "asgi").status == 200


def test_an_address_that_cannot_be_requested_fails_the_deployment():
    deployment = build_deployment("http://127.0.0.1:1")
    with pytest.raises(DeploymentFailed, match="is not a valid address") as raised:
        run_smoke_test(deployment, SmokeCheck("/a\nb"), SilentReport(), timeout=1)
    assert "--smoke" in raised.value.hint
    assert raised.value.deployment is deployment
