"""The `mastra` command with a fake Cloudflare, on one real bundle."""

import pytest

from tests.cloudflare.fake import FakeCloudflare
from tests.cloudflare.fake.state import ACCOUNT
from tests.conftest import run_mastra
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

ASGI = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""
CONFIG = """
[tool.mastra.env]
required = ["GREETING"]

[tool.mastra.targets.cloudflare]
project_name = "shop"
kv = { CACHE = "shop-cache" }
crons = ["0 5 * * *"]
"""


@pytest.fixture
def cloudflare():
    fake = FakeCloudflare()
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def bundled_project(tmp_path_factory):
    """A project with a bundle in `out`, which the tests deploy and do not change."""
    root = write_project(tmp_path_factory.mktemp("cloudflare") / "app", {"main.py": ASGI}, CONFIG)
    options = ("--app", "main:app", "-o", root / "out")
    run_mastra("bundle", "cloudflare", *options, cwd=root, GREETING="at build").ok()
    return root


@pytest.fixture
def run(cloudflare, bundled_project):
    """Run `mastra` in the project, with the credentials of the fake."""

    def command(*arguments, **environment):
        variables = {
            "CLOUDFLARE_API_BASE_URL": cloudflare.url,
            "CLOUDFLARE_API_TOKEN": cloudflare.token,
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
            "GREETING": "a-secret-value",
        }
        return run_mastra(*arguments, cwd=bundled_project, **{**variables, **environment})

    return command


DEPLOY = ("deploy", "cloudflare", "--prebuilt", "out", "--no-smoke", "--json")


def test_life_of_a_worker(run, cloudflare):
    """Plan, deploy, deploy unchanged, preview, promote, roll back, change a secret, destroy."""
    plan = run(*DEPLOY[:-2], "--prod", "--dry-run", "--json").ok().json
    assert "Worker shop" in str(plan)
    assert "KV namespace shop-cache" in str(plan)
    assert not cloudflare.list_changes()
    first = run(*DEPLOY, "--prod").ok().json["deployment"]
    assert first["live"] is True
    assert first["url"] == "https://shop.acme.workers.dev"
    assert cloudflare.get_live_version().env == {"GREETING": "a-secret-value"}
    assert cloudflare.worker.crons == ["0 5 * * *"]
    cloudflare.requests.clear()
    assert run(*DEPLOY, "--prod").ok().json["deployment"]["id"] == first["id"]
    assert not cloudflare.list_changes()

    preview = run(*DEPLOY, GREETING="in a preview").ok().json["deployment"]
    assert preview["environment"] == "preview"
    assert cloudflare.get_live("preview").env == {"GREETING": "in a preview"}
    assert cloudflare.get_live_version().id == first["id"]

    options = ("--prod", "--no-promote", "--message", "second")
    draft = run(*DEPLOY, *options, GREETING="changed").ok().json["deployment"]
    assert draft["live"] is False
    run("promote", draft["id"], "--target", "cloudflare").ok()
    listed = run("deployments", "cloudflare", "--json").ok().json["deployments"]
    assert [item["live"] for item in listed if item["environment"] == "production"] == [True, False]
    done = run("rollback", "--target", "cloudflare").ok()
    assert "secrets have changed" in done.err
    assert "a-secret-value" not in done.out + done.err

    run(*DEPLOY, "--prod", GREETING="changed").ok()
    run("env", "set", "ADDED", ADDED="another-secret").ok()
    assert cloudflare.get_live_version().env == {"GREETING": "changed", "ADDED": "another-secret"}
    done = run("destroy", "cloudflare", "--yes").ok()
    assert "KV namespace shop-cache" in done.err
    assert cloudflare.worker is None


def test_error_of_a_wrong_token(run, cloudflare):
    done = run(*DEPLOY[:-1], "--prod", CLOUDFLARE_API_TOKEN="no-such-token-0123456789")
    done.failed(7, "Cloudflare", "CLOUDFLARE_API_TOKEN")
    assert "no-such-token-0123456789" not in done.out + done.err
    assert not cloudflare.list_changes()
