"""The log of a deployment: pages of its history, and the WebSocket."""

import contextlib
import itertools

from mastra_core import Secret
from mastra_deployer.kit.clock import skip_waits
from mastra_deployer_netlify import NetlifyDeployer, hooks
from tests.netlify.suite import NetlifyFixtures

MINUTE = 60_000  # milliseconds


class TestLogs(NetlifyFixtures):
    def open_log(self, platform, id="", *, follow=False):
        """Read the log from the fake itself, because the suite's proxy passes no WebSocket."""
        settings = NetlifyDeployer(project_name="shop", scope="acme", api_url=platform.url)
        credentials = {"NETLIFY_AUTH_TOKEN": Secret(platform.token)}
        return hooks.mastra_logs(settings, credentials, id, None, follow)

    def read(self, platform, id="", *, follow=False, count=None):
        with skip_waits(), contextlib.closing(self.open_log(platform, id, follow=follow)) as lines:
            return [line.text for line in itertools.islice(lines, count)]

    def test_all_pages_are_read(self, harness, platform):
        deployment = harness.deploy_sample()
        texts = [f"line {number}" for number in range(5)]
        for text in texts:
            platform.write_log(text)
        platform.platform.log(deployment.id, "a failure", "ERROR")
        lines = list(self.open_log(platform))
        assert [line.text for line in lines] == [*texts, "a failure"]
        assert [line.level for line in lines] == ["info"] * 5 + ["error"]

    def test_the_live_log_is_followed_by_websocket(self, harness, platform):
        deployment = harness.deploy_sample()
        platform.write_log("before")
        lines = self.open_log(platform, follow=True)
        assert next(lines).text == "before"
        row = platform.platform.log(deployment.id, "after")
        row.milliseconds += 10
        assert next(lines).text == "after", "each line once"
        lines.close()

    def test_the_log_of_an_earlier_deployment_is_followed_by_its_history(self, harness, platform):
        first = harness.deploy_sample("1")
        platform.write_log("old words")
        harness.deploy_sample("2")
        assert self.read(platform, first.id, follow=True, count=1) == ["old words"]

    def test_a_followed_history_is_not_read_from_its_beginning_again(self, harness, platform):
        first = harness.deploy_sample("1")
        harness.deploy_sample("2")
        platform.platform.log(first.id, "50").milliseconds -= 50 * MINUTE
        lines = self.open_log(platform, first.id, follow=True)
        with skip_waits(), contextlib.closing(lines):
            assert next(lines).text == "50"
            for minutes in (20, 0):
                platform.platform.log(first.id, f"{minutes}").milliseconds -= minutes * MINUTE
                assert next(lines).text == f"{minutes}"
        requests = platform.find_requests("GET", "/function_logs/")
        times = [int(request.query["from"][0]) for request in requests]
        assert times[-1] - times[0] > 38 * MINUTE, "the log begins an hour ago"

    def test_lines_of_two_functions_are_in_order(self, harness, platform):
        deployment = harness.deploy_sample()
        functions = platform.get_published().functions
        functions["jobs"] = functions["api"]
        for number, function in enumerate(("jobs", "api", "jobs", "api")):
            row = platform.platform.log(deployment.id, f"{number}", function=function)
            row.milliseconds += number - 4
        assert self.read(platform) == ["0", "1", "2", "3"]
        lines = self.open_log(platform, follow=True)
        with skip_waits(), contextlib.closing(lines):
            assert [line.text for line in itertools.islice(lines, 4)] == ["0", "1", "2", "3"]
            for function in ("api", "jobs"):
                platform.platform.log(deployment.id, f"later: {function}", function=function)
                assert next(lines).text == f"later: {function}"
