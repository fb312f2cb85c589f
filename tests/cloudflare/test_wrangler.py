"""Cloudflare's own command sends the same form, and understands what a deploy makes."""

import shutil

import pytest

from mastra_core.pipeline import Bundle
from tests.cloudflare.fake.multipart import parse_form
from tests.cloudflare.fake.state import ACCOUNT
from tests.cloudflare.suite import CloudflareFixtures
from tests.cloudflare.wrangler import run_wrangler, write_project
from tests.conftest import run_mastra
from tests.repository import EXAMPLES

pytestmark = pytest.mark.slow

BINDINGS = {
    "vars": {"LEVEL": "info", "EMPTY": ""},
    "kv": {"CACHE": "shop-cache"},
    "d1": {"DB": "shop"},
    "r2": {"FILES": "shop-files"},
    "queues": {"JOBS": "shop-jobs"},
    "services": {"AUTH": "auth", "API": "auth#Api"},
    "ai": "AI",
    "crons": ["0 5 * * *"],
    "placement": "smart",
    "cpu_ms": 50,
}


def read_form(path):
    content = path.read_bytes()
    boundary = content[2 : content.index(b"\r\n")].decode()
    return parse_form(content, f"multipart/form-data; boundary={boundary}")


def sort_bindings(metadata):
    return {**metadata, "bindings": sorted(metadata["bindings"], key=lambda item: item["name"])}


@pytest.fixture(scope="module")
def example_bundle(tmp_path_factory):
    """The example with its dependencies, about 950 modules, without the step that suspends."""
    root = tmp_path_factory.mktemp("example") / "weather"
    shutil.copytree(EXAMPLES / "weather", root)
    workflows = root / "src/mastra/workflows.py"
    workflows.write_text(workflows.read_text().replace(".then(decide)", ""))
    options = ("-s", "project_name=shop", "-o", root / "out")
    run_mastra("bundle", "cloudflare", *options, cwd=root).ok()
    return Bundle.load(root / "out")


class TestWrangler(CloudflareFixtures):
    @pytest.mark.parametrize(
        "settings",
        [
            pytest.param(None, id="example", marks=pytest.mark.full),
            pytest.param(BINDINGS, id="every binding"),
            pytest.param({"crons": ["*/5 * * * *"]}, id="cron", marks=pytest.mark.full),
        ],
    )
    def test_wrangler_sends_the_same_form(
        self, harness, platform, tmp_path, settings, example_bundle
    ):
        """The same parts, names, types, bytes and metadata."""
        platform.add_worker("auth")
        platform.settings = settings or {}
        bundle = example_bundle if settings is None else harness.bundle()
        harness.deploy(bundle, env={}, message="Fix the cart", fingerprint="f" * 64)
        version = platform.worker.versions[0]
        project = tmp_path / "project"
        project.mkdir()
        write_project(
            bundle.directory, project, version.metadata, platform.settings.get("crons", ())
        )
        tag, message = (version.annotations[f"workers/{name}"] for name in ("tag", "message"))
        options = ("--dry-run", "--outfile", "form.bin", "--tag", tag, "--message", message)
        run_wrangler(project, "deploy", *options)
        form = read_form(project / "form.bin")
        assert form.modules == version.modules
        assert sort_bindings(form.metadata) == sort_bindings(version.metadata)

    def test_wrangler_reads_what_we_deployed_and_rolls_back(self, harness, platform, tmp_path):
        first, second = (harness.deploy(harness.bundle(change), message=change) for change in "ab")
        variables = {
            "CLOUDFLARE_API_BASE_URL": platform.url,
            "CLOUDFLARE_API_TOKEN": platform.token,
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
        }
        name = ("--name", platform.project)
        versions = run_wrangler(tmp_path, "versions", "list", *name, **variables)
        assert first.id in versions
        assert second.id in versions
        deployments = run_wrangler(tmp_path, "deployments", "list", *name, **variables)
        assert f"(100%) {second.id}" in deployments
        secrets = run_wrangler(tmp_path, "secret", "list", *name, **variables)
        assert "GREETING" in secrets
        assert harness.env["GREETING"] not in secrets
        run_wrangler(tmp_path, "rollback", "--yes", *name, **variables)
        assert harness.get_live().id == first.id
        live = [item.id for item in harness.call("deployments", 10) if item.live]
        assert live == [first.id]
