"""What the tests of the deployer share: the deployer and its fake, connected by the suite's proxy."""

import pytest

import mastra_deployer_cloudflare.hooks
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer_cloudflare.bundle.worker_modules import iter_modules, read_worker_config
from tests.cloudflare.fake import FakeCloudflare


class CloudflareFixtures(SuiteFixtures):
    """The conformance suite on the fake of the account API."""

    incremental = False  # a version is one form
    can_hang = False  # an upload answers when the version is ready

    @pytest.fixture
    def deployer(self):
        return mastra_deployer_cloudflare.hooks

    @pytest.fixture
    def platform(self):
        fake = FakeCloudflare()
        yield fake
        fake.stop()

    def is_read(self, exchange):
        """The query of the log is a POST; tails end by themselves."""
        is_log = exchange.path.endswith("/telemetry/query") or "/tails" in exchange.path
        return is_log or super().is_read(exchange)

    def is_repeatable(self, exchange):
        """A repeated upload of a Worker would make a second version."""
        return super().is_repeatable(exchange) and "excludeScript" not in exchange.path

    def get_expected_files(self, bundle):
        """The modules are all that is sent."""
        config = read_worker_config(bundle.directory)
        modules = iter_modules(bundle.directory, config)
        return {module.name: module.path.read_bytes() for module in modules}
