"""What the tests of the deployer share: the deployer and its fake, connected by the suite's proxy."""

import pytest

import mastra_deployer_netlify.hooks
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer_netlify.bundle.output import STATIC, read_functions
from tests.netlify.fake import FakeNetlify
from tests.netlify.fake.contract import find_violations
from tests.netlify.fake.state import unpack


class NetlifyFixtures(SuiteFixtures):
    """All requests and responses of a class must match Netlify's own swagger."""

    incremental = False  # a function is one zip
    canary = False  # Netlify splits traffic between branches only

    @pytest.fixture
    def deployer(self):
        return mastra_deployer_netlify.hooks

    @pytest.fixture(scope="class")
    @classmethod
    def recorded_requests(cls):
        requests = []
        yield requests
        assert find_violations(requests) == []

    @pytest.fixture
    def platform(self, request, bootstrap, tiny_interpreter, recorded_requests):
        """A fake whose functions carry no real Python, unless the test runs one."""
        is_run = request.function.__name__ == "test_a_preview_answers"
        fake = FakeNetlify("" if is_run else str(tiny_interpreter))
        yield fake
        fake.stop()
        recorded_requests.extend(fake.requests)

    def get_expected_files(self, bundle):
        """Functions are unpacked; static files and functions are all that is sent."""
        files = {}
        for function in read_functions(bundle.directory):
            files |= unpack(function.name, (bundle.directory / function.path).read_bytes())
        static = bundle.directory / STATIC
        for path in static.rglob("*"):
            if path.is_file():
                files[f"static/{path.relative_to(static).as_posix()}"] = path.read_bytes()
        return files
