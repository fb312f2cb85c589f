"""The conformance suite for Cloudflare's deployer, run against a fake of its API over HTTP."""

from mastra_deployer.testing import DeployerSuite
from tests.cloudflare.suite import CloudflareFixtures


class TestCloudflare(CloudflareFixtures, DeployerSuite):
    pass
