"""Vercel's deployer keeps the promises of a deployer, against a fake of Vercel over HTTP."""

import pytest

import mastra_deployer_vercel.hooks
from mastra_core.line import MANIFEST
from mastra_deployer.testing import DeployerSuite
from mastra_deployer_vercel.arrange import OUTPUT
from vercel.fake import FakeVercel


class TestVercel(DeployerSuite):
    @pytest.fixture
    def deployer(self):
        return mastra_deployer_vercel.hooks

    @pytest.fixture
    def platform(self, tmp_path):
        fake = FakeVercel(tmp_path / "vercel")
        yield fake
        fake.stop()

    def expected(self, bundle):
        """Only what is below `.vercel/output` goes there."""
        return {
            path.relative_to(bundle.directory).as_posix(): path.read_bytes()
            for path in bundle.files()
            if path.name != MANIFEST and OUTPUT in path.as_posix()
        }
