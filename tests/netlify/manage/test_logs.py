"""The log of a deployment: pages of its history, and the WebSocket."""

import itertools

from mastra_core import Secret
from mastra_deployer.kit.clock import skip_waits
from mastra_deployer_netlify import NetlifyDeployer, hooks
from tests.netlify.suite import NetlifyFixtures


class TestLogs(NetlifyFixtures):
    def read(self, platform, id="", *, follow=False, count=None):
        """Read the log from the fake itself, because the suite's proxy passes no WebSocket."""
        settings = NetlifyDeployer(project_name="shop", scope="acme", api_url=platform.url)
        credentials = {"NETLIFY_AUTH_TOKEN": Secret(platform.token)}
        with skip_waits():
            lines = hooks.mastra_logs(settings, credentials, id, None, follow)
            return list(itertools.islice(lines, count))

    def test_all_pages_are_read(self, harness, platform):
        deployment = harness.deploy_sample()
        texts = [f"line {number}" for number in range(5)]
        for text in texts:
            platform.write_log(text)
        platform.platform.log(deployment.id, "a failure", "ERROR")
        lines = self.read(platform)
        assert [line.text for line in lines] == [*texts, "a failure"]
        assert [line.level for line in lines] == ["info"] * 5 + ["error"]

    def test_the_live_log_is_followed_by_websocket(self, harness, platform):
        deployment = harness.deploy_sample()
        platform.write_log("before")
        lines = iter(
            hooks.mastra_logs(
                NetlifyDeployer(project_name="shop", scope="acme", api_url=platform.url),
                {"NETLIFY_AUTH_TOKEN": Secret(platform.token)},
                "",
                None,
                True,
            )
        )
        assert next(lines).text == "before"
        row = platform.platform.log(deployment.id, "after")
        row.milliseconds += 10
        assert next(lines).text == "after", "each line once"
        lines.close()

    def test_the_log_of_an_earlier_deployment_is_followed_by_its_history(self, harness, platform):
        first = harness.deploy_sample("1")
        platform.write_log("old words")
        harness.deploy_sample("2")
        lines = self.read(platform, first.id, follow=True, count=1)
        assert [line.text for line in lines] == ["old words"]
