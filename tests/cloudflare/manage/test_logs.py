"""The log: pages of the query, and the tail."""

import contextlib
import itertools

import pytest

from mastra_core import Secret
from mastra_core.errors import DeployError
from mastra_deployer.kit.clock import skip_waits
from mastra_deployer_cloudflare import CloudflareDeployer, hooks
from tests.cloudflare.fake.state import ACCOUNT
from tests.cloudflare.suite import CloudflareFixtures


class TestLogs(CloudflareFixtures):
    def open_log(self, platform, id="", *, follow=False):
        """Read the log from the fake itself, because the suite's proxy passes no WebSocket."""
        settings = CloudflareDeployer(project_name="shop", scope=ACCOUNT, api_url=platform.url)
        credentials = {"CLOUDFLARE_API_TOKEN": Secret(platform.token)}
        return hooks.mastra_logs(settings, credentials, id, None, follow)

    def read(self, platform, id="", *, follow=False, count=None):
        with skip_waits(), contextlib.closing(self.open_log(platform, id, follow=follow)) as lines:
            return list(itertools.islice(lines, count))

    def test_all_pages_are_read(self, harness, platform):
        deployment = harness.deploy_sample()
        texts = [f"line {number}" for number in range(230)]
        for text in texts:
            platform.write_log(text)
        platform.platform.log("shop", deployment.id, "a failure", level="error")
        platform.platform.log("blog", deployment.id, "of another Worker")
        lines = self.read(platform)
        assert [line.text for line in lines] == [*texts, "a failure"]
        assert [line.level for line in lines] == ["info"] * 230 + ["error"]

    def test_log_of_each_version_with_traffic(self, harness, platform):
        first, second = (harness.deploy_sample(change) for change in "ab")
        platform.platform.log("shop", first.id, "of a")
        platform.platform.log("shop", second.id, "of b")
        assert [line.text for line in self.read(platform)] == ["of b"]
        assert [line.text for line in self.read(platform, first.id)] == ["of a"]
        harness.call("canary", first.id, 10, harness.recorder)
        assert [line.text for line in self.read(platform)] == ["of a", "of b"]

    def test_new_lines_come_by_a_tail_each_once(self, harness, platform):
        harness.deploy_sample()
        platform.write_log("before")
        lines = self.open_log(platform, follow=True)
        assert next(lines).text == "before"
        platform.write_log("after")
        assert next(lines).text == "after"
        platform.write_log("later")  # by a second tail: the fake ends the first one
        assert next(lines).text == "later"
        lines.close()
        assert not platform.worker.tails, "the tail is deleted"

    def test_a_second_tail_does_not_read_the_whole_history_again(self, harness, platform):
        deployment = harness.deploy_sample()
        row = platform.platform.log("shop", deployment.id, "half an hour ago")
        row.milliseconds -= 1_800_000
        platform.write_log("now")
        lines = self.open_log(platform, follow=True)
        with contextlib.closing(lines):
            for text in ("half an hour ago", "now", "later", "last"):
                if text in ("later", "last"):  # each by another tail
                    platform.write_log(text)
                assert next(lines).text == text
        starts = platform.platform.log_starts
        assert len(starts) == 2
        assert starts[-1] - starts[0] > 3_000_000, "the log begins an hour ago"

    def test_exceptions_and_bad_outcomes_are_lines(self, harness, platform):
        deployment = harness.deploy_sample()
        lines = self.open_log(platform, follow=True)
        platform.write_log("a line")
        assert next(lines).text == "a line"
        platform.platform.log(
            "shop", deployment.id, "no such key", is_exception=True, outcome="exception"
        )
        with contextlib.closing(lines):
            texts = {(line.text, line.level) for line in itertools.islice(lines, 3)}
        assert ("TypeError: no such key", "error") in texts
        assert ("GET https://shop.acme.workers.dev/: exception", "error") in texts

    def test_unknown_version(self, harness, platform):
        harness.deploy_sample()
        with pytest.raises(DeployError, match="no version 'unknown-version'"):
            self.read(platform, "unknown-version")

    def test_missing_worker(self, platform):
        with pytest.raises(DeployError, match="no Worker 'shop'"):
            self.read(platform)

    def test_token_without_the_permission(self, harness, platform):
        harness.deploy_sample()
        platform.platform.tokens = {platform.token: frozenset({"scripts"})}
        with pytest.raises(DeployError, match="Authentication error"):
            self.read(platform)
