"""The conformance suite for Vercel's deployer, run against a fake of Vercel over HTTP."""

import pytest

import mastra_deployer_vercel.hooks
from mastra_core.pipeline import MANIFEST
from mastra_deployer.testing import DeployerSuite
from mastra_deployer_vercel.bundle.build_output import OUTPUT
from tests.vercel.fake import FakeVercel
from tests.vercel.fake.contract.schemas import find_violations

# Requests that Vercel's own command sends and no document describes.
UNDOCUMENTED = ("observability/events", "/v13/deployments .*'prebuilt'")


class TestVercel(DeployerSuite):
    @pytest.fixture
    def deployer(self):
        return mastra_deployer_vercel.hooks

    @pytest.fixture(scope="class")
    @classmethod
    def recorded_requests(cls):
        """All requests of the suite; they must match the schemas of Vercel's own SDK."""
        requests = []
        yield requests
        assert find_violations(requests, ignore=UNDOCUMENTED) == []

    @pytest.fixture
    def platform(self, tmp_path, recorded_requests):
        fake = FakeVercel(tmp_path / "vercel")
        yield fake
        fake.stop()
        recorded_requests.extend(fake.requests)

    def is_read(self, exchange):
        """Past log lines are queried by POST, which changes nothing."""
        return super().is_read(exchange) or exchange.path.startswith("/v1/observability/events")

    @pytest.mark.parametrize("is_first_draft", [False, True])
    def test_a_draft_is_no_unfinished_live_deploy(self, harness, platform, is_first_draft):
        """A deploy of the other kind would move the domains, or would never move them."""
        bundle = harness.bundle("b")
        platform.set_build_speed(polls=3)
        ids = [
            harness.deploy_without_promotion(
                bundle, fingerprint="f" * 8, wait=False, promote=promote
            ).id
            for promote in (not is_first_draft, is_first_draft, not is_first_draft)
        ]
        assert ids[0] != ids[1]

    def test_a_draft_that_became_ready_is_used_again(self, harness, platform):
        """The first run ended after its draft was ready, and before it was promoted."""
        bundle = harness.bundle("b")
        settings = {**platform.get_settings(), "staged": True}
        platform.get_settings = lambda: settings
        harness.deploy_sample("a")
        draft = harness.deploy_without_promotion(bundle, fingerprint="f" * 8)
        assert (draft.live, draft.draft, draft.state) == (False, True, "ready")
        again = harness.deploy_without_promotion(bundle, fingerprint="f" * 8)
        assert again.id == draft.id
        harness.set_variables("production", {"STORED": "1"})
        other = harness.deploy_without_promotion(bundle, fingerprint="f" * 8)
        assert other.id != draft.id

    def get_expected_files(self, bundle):
        """Only the files below `.vercel/output` are uploaded."""
        return {
            path.relative_to(bundle.directory).as_posix(): path.read_bytes()
            for path in bundle.iter_files()
            if path.name != MANIFEST and OUTPUT in path.as_posix()
        }
