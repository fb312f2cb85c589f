"""Netlify's own command works with deployments by mastra, and mastra with those of the command."""

import json
import os
import subprocess

import pytest

from tests.netlify.suite import NetlifyFixtures
from tests.node import find_node

pytestmark = [pytest.mark.slow, pytest.mark.full]


class TestNetlifyCommand(NetlifyFixtures):
    @pytest.fixture(scope="class")
    @classmethod
    def recorded_requests(cls):
        """Requests of Netlify's command are not checked: it sends fields that no document has."""
        return []

    @pytest.fixture
    def cli(self, cli_script, platform, tmp_path):
        """Run `netlify ARGUMENTS`, and return its JSON."""
        home = tmp_path / "home"
        home.mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NETLIFY_API_URL": platform.url,
            "NETLIFY_AUTH_TOKEN": platform.token,
            "NO_UPDATE_NOTIFIER": "1",
            "CI": "1",
        }

        def command(*arguments):
            process = subprocess.run(
                [find_node(), str(cli_script), *arguments],
                cwd=home,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert process.returncode == 0, (process.stdout, process.stderr)
            return json.loads(process.stdout)

        return command

    def call(self, cli, operation, **data):
        return cli("api", operation, "--data", json.dumps(data))

    def test_the_command_lists_reads_and_restores_what_mastra_deployed(
        self, harness, platform, cli
    ):
        first, second = (harness.deploy_sample(change, "production").id for change in "ab")
        assert [site["name"] for site in cli("sites:list", "--json")] == ["shop"]
        site = platform.find_site().id
        listed = self.call(cli, "listSiteDeploys", site_id=site)
        assert [item["id"] for item in listed] == [second, first]
        assert self.call(cli, "getSiteDeploy", site_id=site, deploy_id=first)["state"] == "ready"
        self.call(cli, "restoreSiteDeploy", site_id=site, deploy_id=first)
        live = [item.id for item in harness.call("deployments", 5) if item.live]
        assert live == [first] == [platform.get_published().id]

    def test_mastra_lists_and_restores_what_the_command_deployed(
        self, harness, platform, cli, tmp_path
    ):
        ours = harness.deploy_sample().id
        (tmp_path / "home/pages").mkdir()
        (tmp_path / "home/pages/index.html").write_text("hello")
        flags = ("--site", "shop", "--prod", "--no-build", "--dir", "pages", "--json")
        theirs = cli("deploy", *flags, "--message", "from the command")["deploy_id"]
        newest, *_ = harness.call("deployments", 5)
        assert (newest.id, newest.live, newest.message) == (theirs, True, "from the command")
        assert harness.call("rollback", "", harness.recorder).id == ours
        assert harness.call("promote", theirs, harness.recorder).live
        assert platform.get_published().id == theirs
