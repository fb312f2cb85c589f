"""Promotion, rollback and canary use deployments of the project only."""

import pytest

import mastra_deployer_vercel.hooks
from mastra_core.errors import DeployError
from mastra_deployer.testing.fixtures import SuiteFixtures
from tests.vercel.fake import FakeVercel


class TestOtherProject(SuiteFixtures):
    @pytest.fixture
    def deployer(self):
        return mastra_deployer_vercel.hooks

    @pytest.fixture
    def platform(self, tmp_path):
        fake = FakeVercel(tmp_path / "vercel")
        yield fake
        fake.stop()

    def test_a_deployment_of_another_project_is_unknown(self, harness, platform):
        own_project, platform.project = platform.project, f"{platform.project}-staging"
        foreign = [harness.deploy_sample("staging").id]
        foreign.append(harness.deploy_sample("preview", "preview").id)
        platform.project = own_project
        live = harness.deploy_sample("shop")
        before = list(platform.list_resources())
        for foreign_id in foreign:
            failure = pytest.raises(DeployError, match=f"'shop' has no deployment '{foreign_id}'")
            for verb, arguments in {"promote": (), "rollback": (), "canary": (10,)}.items():
                with harness.record_requests() as requests, failure:
                    harness.call(verb, foreign_id, *arguments, harness.recorder)
                assert {request.method for request in requests} == {"GET"}
            with failure:
                list(harness.call("logs", foreign_id, None, follow=False))
        assert harness.get_live().id == live.id
        assert list(platform.list_resources()) == before
