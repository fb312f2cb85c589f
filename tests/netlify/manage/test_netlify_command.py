"""The `mastra` command with a fake Netlify."""

import pytest

from tests.netlify.fake import FakeNetlify

ASGI = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""


@pytest.fixture
def netlify(bootstrap, tiny_interpreter):
    fake = FakeNetlify(str(tiny_interpreter))
    yield fake
    fake.stop()


@pytest.fixture
def run(netlify, mastra, project):
    """Run `mastra` in one project, with the credentials of that platform."""
    root = project({"main.py": ASGI})
    settings = ("-s", "project_name=shop", "-s", "scope=acme")
    settings += ("-s", f"interpreter={netlify.interpreter}")

    def command(*arguments, **environment):
        variables = {"NETLIFY_API_URL": netlify.url, "NETLIFY_AUTH_TOKEN": netlify.token}
        return mastra(*arguments, *settings, cwd=root, **variables, **environment)

    return command


@pytest.mark.slow
def test_an_unchanged_deploy_sends_nothing(run, netlify):
    deploy = ("deploy", "netlify", "--app", "main:app", "--prod", "--no-smoke", "--json")
    first = run(*deploy).ok().json["deployment"]
    assert first["live"] is True
    assert netlify.get_published().id == first["id"]
    before = len(netlify.requests)
    again = run(*deploy).ok().json["deployment"]
    assert again["id"] == first["id"]
    assert {request.method for request in netlify.requests[before:]} == {"GET"}
    assert len(netlify.list_deploys()) == 1
    listed = run("deployments", "netlify", "--json").ok().json
    assert [item["id"] for item in listed["deployments"]] == [first["id"]]
    done = run("canary", first["id"], "--percent", "10", "--target", "netlify")
    done.failed(2, "'netlify' does not support 'canary'", "--prod --no-promote")


def test_a_deploy_that_does_not_wait_is_published_by_the_platform(run):
    deploy = ("deploy", "netlify", "--app", "main:app", "--prod", "--no-wait")
    done = run(*deploy).ok()
    assert "It becomes live when it is ready: mastra deployments netlify" in done.out
    assert "mastra promote" not in done.out
    draft = run(*deploy, "--no-promote", "--message", "draft").ok()
    assert "Publish it with: mastra promote" in draft.out
