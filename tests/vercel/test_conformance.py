"""Vercel's deployer keeps the promises of a deployer, against a fake of Vercel over HTTP."""

import pytest

import mastra_deployer_vercel.hooks
from mastra_core.pipeline import MANIFEST
from mastra_deployer.testing import DeployerSuite
from mastra_deployer_vercel.bundle.build_output import OUTPUT
from tests.vercel.fake import FakeVercel
from tests.vercel.fake.contract.schemas import find_violations

# What Vercel's own command asks and no document describes.
UNDOCUMENTED = ("observability/events", "/v13/deployments .*'prebuilt'")


class TestVercel(DeployerSuite):
    @pytest.fixture
    def deployer(self):
        return mastra_deployer_vercel.hooks

    @pytest.fixture(scope="class")
    @classmethod
    def requests(cls):
        """Every request of every promise, checked by the schemas of Vercel's own SDK."""
        requests = []
        yield requests
        assert find_violations(requests, ignore=UNDOCUMENTED) == []

    @pytest.fixture
    def platform(self, tmp_path, recorded_requests):
        fake = FakeVercel(tmp_path / "vercel")
        yield fake
        fake.stop()
        recorded_requests.extend(fake.requests)

    def reads(self, exchange):
        """The log of the past is asked for by POST."""
        return super().reads(exchange) or exchange.path.startswith("/v1/observability/events")

    def expected(self, bundle):
        """Only what is below `.vercel/output` goes there."""
        return {
            path.relative_to(bundle.directory).as_posix(): path.read_bytes()
            for path in bundle.files()
            if path.name != MANIFEST and OUTPUT in path.as_posix()
        }
