"""Commands change deployments of the project only, and those of other tools not in silence."""

import pytest

import mastra_deployer_vercel.hooks
from mastra_core.errors import ApiError, DeployError
from mastra_deployer.testing.fixtures import SuiteFixtures
from tests.platform_fakes.faults import Fault
from tests.vercel.fake import FakeVercel, Outcome


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
        draft = harness.deploy_without_promotion(harness.bundle("draft"), promote=False)
        assert not draft.live
        harness.deploy_sample("last")
        assert harness.call("rollback", "", harness.recorder).id == first.id
        assert harness.get_live().id == first.id

    def test_a_deleted_deployment_is_no_previous_one(self, harness, platform):
        first, second, third = (harness.deploy_sample(change).id for change in "abc")
        harness.call("rollback", first, harness.recorder)
        platform.platform.deployments[third].is_deleted = True
        assert harness.call("rollback", "", harness.recorder).id == second

    @pytest.mark.parametrize("verb", ["promote", "rollback"])
    @pytest.mark.parametrize("state", ["failed", "building"])
    def test_a_deployment_that_is_not_ready_stays_as_it_is(self, harness, platform, verb, state):
        live = harness.deploy_sample()
        platform.set_next_outcomes(Outcome(state="ERROR" if state == "failed" else "BUILDING"))
        other = harness.deploy_without_promotion(harness.bundle("b"), wait=False)
        platform.finish_deployments()
        with pytest.raises(DeployError, match=f"{other.id} cannot become live.*'{state}'"):
            harness.call(verb, other.id, harness.recorder)
        assert harness.get_live().id == live.id

    def test_a_conflict_is_not_blamed_on_the_name(self, harness, platform):
        first, _ = (harness.deploy_sample(change) for change in "ab")
        conflict = Fault(status=409, raw=b'{"error": {"code": "conflict", "message": "Busy"}}')
        platform.add_fault("POST", "/rollback/", conflict, times=9)
        with pytest.raises(ApiError, match="Busy") as raised:
            harness.call("rollback", first.id, harness.recorder)
        assert "Wait, and run the same command again" in raised.value.hint


class TestStaged(VercelFixtures):
    def test_a_preview_is_no_draft(self, harness, platform):
        settings = {**platform.get_settings(), "staged": True}
        platform.get_settings = lambda: settings
        harness.deploy_sample()
        preview = harness.deploy_sample("p", "preview")
        assert (preview.environment, preview.live, preview.state) == ("preview", True, "ready")


class TestCanary(VercelFixtures):
    @pytest.mark.parametrize("percent", [0, 20])
    def test_a_second_canary_is_refused(self, harness, platform, percent):
        live = harness.deploy_sample()
        canary, other = (
            harness.deploy_without_promotion(harness.bundle(change), promote=False).id
            for change in "ab"
        )
        harness.call("canary", canary, 10, harness.recorder)
        with pytest.raises(DeployError, match=f"{canary}, already receives") as raised:
            harness.call("canary", other, percent, harness.recorder)
        assert f"mastra canary {canary} --percent 0" in raised.value.hint
        assert platform.get_traffic() == {live.id: 90, canary: 10}

    @pytest.mark.parametrize("verb", ["promote", "rollback"])
    def test_another_command_that_ends_the_release_meanwhile(self, harness, platform, verb):
        live = harness.deploy_sample()
        canary = harness.deploy_without_promotion(harness.bundle("b"), promote=False).id
        harness.call("canary", canary, 10, harness.recorder)
        requests = []

        def end_release(exchange):
            if exchange.path.partition("?")[0].endswith("/complete"):
                requests.append(exchange)
                if len(requests) == 1:
                    harness.call(verb, canary if verb == "promote" else "", harness.recorder)

        with harness.proxy.apply_rule(end_release):
            if verb == "promote":
                assert harness.call("promote", canary, harness.recorder).live
            else:
                message = f"Another command has ended the rolling release of {canary}"
                with pytest.raises(DeployError, match=message):
                    harness.call("promote", canary, harness.recorder)
        assert harness.get_live().id == (canary if verb == "promote" else live.id)


class TestPromotedPreview(VercelFixtures):
    """A promoted preview is live, also where Vercel does not move the domains by itself."""

    def promote_preview(self, harness):
        preview = harness.deploy_sample("p", "preview")
        promoted = harness.call("promote", preview.id, harness.recorder)
        assert promoted.live
        assert harness.get_live().id == promoted.id
        return promoted

    def test_after_a_rollback(self, harness):
        first, _ = (harness.deploy_sample(change) for change in "ab")
        harness.call("rollback", first.id, harness.recorder)
        self.promote_preview(harness)

    def test_with_rolling_releases(self, harness, platform):
        for change in "ab":
            harness.deploy_sample(change)
        stages = [{"targetPercentage": 10}, {"targetPercentage": 100}]
        config = {"advancementType": "manual-approval", "stages": stages}
        platform.find_project().rolling_config = config
        promoted = self.promote_preview(harness)
        assert platform.get_traffic() == {promoted.id: 100}

    def test_beside_a_canary(self, harness, platform):
        first, second = (harness.deploy_sample(change) for change in "ab")
        harness.call("canary", first.id, 10, harness.recorder)
        preview, before = harness.deploy_sample("p", "preview"), list(platform.list_resources())
        with pytest.raises(DeployError, match=f"{first.id}, already receives"):
            harness.call("promote", preview.id, harness.recorder)
        assert platform.get_traffic() == {first.id: 10, second.id: 90}
        assert list(platform.list_resources()) == before
