"""The conformance suite for Netlify's deployer, run against a fake of Netlify over HTTP."""

from mastra_deployer.testing import DeployerSuite
from tests.netlify.suite import NetlifyFixtures


class TestNetlify(NetlifyFixtures, DeployerSuite):
    pass
