"""Commands change deployments of the project only, and those of other tools not in silence."""

import pytest

import mastra_deployer_vercel.hooks
from mastra_core.errors import DeployError
from mastra_deployer.testing.fixtures import SuiteFixtures
from tests.vercel.fake import FakeVercel


class VercelFixtures(SuiteFixtures):
    @pytest.fixture
    def deployer(self):
        return mastra_deployer_vercel.hooks

    @pytest.fixture
    def platform(self, tmp_path):
        fake = FakeVercel(tmp_path / "vercel")
        yield fake
        fake.stop()


class TestOtherProject(VercelFixtures):
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

    def test_a_project_of_another_tool_is_reported(self, harness, platform):
        harness.deploy_sample("old")
        for deployment in platform.list_deployments():
            deployment.meta.clear()
        for change, is_reported in (("new", True), ("newer", False)):
            harness.recorder.lines.clear()
            harness.deploy_sample(change)
            output = "\n".join(harness.recorder.lines)
            assert ("'shop' exists, and was deployed by another tool" in output) is is_reported


class TestRollback(VercelFixtures):
    def test_a_rollback_skips_drafts(self, harness):
        first = harness.deploy_sample("first")
        request = harness.build_request(promote=False)
        access, bundle = harness.build_access(), harness.bundle("draft")
        with harness.observe_call():
            draft = harness.caller.deploy(access, bundle, request, harness.recorder)
        assert not draft.live
        harness.deploy_sample("last")
        assert harness.call("rollback", "", harness.recorder).id == first.id
        assert harness.get_live().id == first.id
