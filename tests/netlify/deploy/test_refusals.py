"""What Netlify refuses: each a sentence and a cure, and nothing is live."""

import pytest

from mastra_core.errors import ApiError, AuthError, ConfigError, DeployError, DeploymentFailed
from tests.netlify.suite import NetlifyFixtures
from tests.platform_fakes.faults import NOT_JSON, Fault


def build_fault(status, message):
    return Fault(status=status, raw=b'{"message": "%s"}' % message.encode(), headers={})


UPLOADS = {
    "Request must be smaller than 69905067 bytes for the CreateFunction operation": "52,428,800",
    'The function \\"api\\" is larger than the 50MB limit': "52,428,800",
    "Unzipped size must be smaller than 262144000 bytes": "app 0.3 MB",
    "Invalid AWS Lambda parameters. Reserved keys used in this request": "Rename",
    "Your environment variables exceed the 4KB limit imposed by AWS Lambda": "of the team",
}


class TestRefusals(NetlifyFixtures):
    @pytest.fixture
    def configure(self, platform, monkeypatch):
        """Change settings of the deploys."""

        def change(**settings):
            merged = {**platform.get_settings(), **settings}
            monkeypatch.setattr(platform, "get_settings", lambda: merged)

        return change

    @pytest.mark.parametrize(("message", "cure"), UPLOADS.items())
    def test_a_rejected_function_is_named_with_a_cure(self, harness, platform, message, cure):
        platform.platform.function_rejection = (400, message.replace("\\", ""))
        with pytest.raises(ApiError, match="rejected the function 'api'") as raised:
            harness.deploy_sample()
        assert cure in raised.value.hint
        (deploy,) = platform.list_deploys()
        assert (deploy.state, deploy.error_message) == ("error", "Canceled")

    def test_a_locked_site_is_refused_before_anything_is_sent(self, harness, platform):
        harness.deploy_sample()
        platform.get_published().locked = True
        bundle, count = harness.bundle("new"), len(platform.list_deploys())
        with harness.record_requests() as requests, pytest.raises(DeployError) as raised:
            harness.deploy(bundle)
        assert "locked" in raised.value.message and "--no-promote" in raised.value.hint
        assert all(self.is_read(exchange) for exchange in requests)
        (problem,) = harness.call("doctor")
        assert problem.message == raised.value.message
        assert harness.deploy_without_promotion(bundle, promote=False).draft
        assert harness.deploy(bundle, "preview").live
        assert len(platform.list_deploys()) == count + 2

    def test_a_locked_site_keeps_what_it_publishes(self, harness, platform):
        first, second = (harness.deploy_sample(change) for change in "ab")
        platform.get_published().locked = True
        for verb in ("promote", "rollback"):
            with pytest.raises(DeployError, match="locked"):
                harness.call(verb, first.id, harness.recorder)
        assert platform.get_published().id == second.id

    def test_a_site_that_publishes_from_git_only_is_refused(self, harness, platform):
        harness.deploy_without_promotion(harness.bundle())
        platform.find_site().prevent_non_git_prod_deploys = True
        with pytest.raises(DeployError, match="git only"):
            harness.deploy_sample()
        assert len(platform.list_deploys()) == 1

    def test_a_name_of_somebody_else_is_refused_with_a_free_one(self, harness, platform):
        platform.platform.taken_names = {"shop"}
        with pytest.raises(DeployError, match="The name 'shop'") as raised:
            harness.deploy_sample()
        assert "such as shop-" in raised.value.hint
        assert not platform.list_resources()

    def test_a_site_of_another_team_is_found(self, harness, platform):
        platform.platform.create_site("shop", platform.find_team("initech"))
        with pytest.raises(DeployError, match="your team 'initech'") as raised:
            harness.deploy_sample()
        assert "scope=initech" in raised.value.hint
        (problem,) = harness.call("doctor")
        assert "initech" in problem.message

    def test_a_site_whose_name_only_contains_the_name_is_another(self, harness, platform):
        platform.platform.create_site("shop-two", platform.find_team("acme"))
        harness.deploy_sample()
        assert {site.name for site in platform.platform.sites.values()} == {"shop-two", "shop"}

    def test_a_team_that_is_not_the_tokens_is_refused(self, harness, configure):
        configure(scope="globex")
        with pytest.raises(AuthError, match="'globex'") as raised:
            harness.deploy_sample()
        assert "acme, initech" in raised.value.hint

    def test_a_token_of_another_account_is_refused(self, harness, platform):
        platform.find_team("globex").members.add("nfp_other")
        with pytest.raises(AuthError, match="no access to the team 'acme'") as raised:
            harness.deploy(harness.bundle(), token="nfp_other")
        assert "The token's teams are: globex" in raised.value.hint
        assert not platform.list_resources()

    def test_a_name_that_netlify_does_not_accept_is_explained(self, harness, platform, configure):
        configure(project_name="sh_op")
        with pytest.raises(ApiError, match="is not a valid subdomain") as raised:
            harness.deploy_sample()
        assert "Correct the setting" in raised.value.hint
        assert not platform.list_resources()

    def test_a_rejected_deployment_is_a_failure(self, harness, platform):
        platform.platform.failure, platform.platform.failed_state = "not reviewed", "rejected"
        with pytest.raises(DeploymentFailed, match="not reviewed") as raised:
            harness.deploy_sample()
        assert "app.netlify.com" in raised.value.hint
        assert platform.get_published() is None

    def test_a_token_with_several_teams_needs_a_scope(self, harness, platform, configure):
        configure(scope="")
        with pytest.raises(ConfigError, match="2 teams"):
            harness.deploy_sample()
        platform.platform.teams = [platform.find_team("acme")]
        assert harness.deploy_sample().live

    def test_a_full_team_is_reported(self, harness, platform):
        platform.find_team("acme").included_sites = 0
        (problem,) = harness.call("doctor")
        assert "allows only 0" in problem.message

    def test_variables_that_were_taken_in_part_stop_the_deploy(self, harness, platform):
        platform.platform.omitted_variables = {"FAREWELL"}
        with pytest.raises(ApiError, match="did not store these variables: FAREWELL"):
            harness.deploy_sample()
        assert not platform.list_deploys()

    def test_more_than_4_kb_of_variables_are_refused_before_anything_is_sent(self, harness):
        bundle = harness.bundle()
        with harness.record_requests() as requests, pytest.raises(DeployError, match="4,096"):
            harness.deploy(bundle, env={"GREETING": "x" * 4090})
        assert not requests

    @pytest.mark.parametrize(
        ("fault", "cure"),
        [
            (build_fault(402, "Payment required"), "billing"),
            (build_fault(403, "Forbidden"), "scope"),
            (build_fault(410, "Gone"), "too old"),
            (build_fault(426, "Upgrade required"), "too old"),
            (build_fault(422, "Quota exceeded"), "names"),
            (NOT_JSON, "netlifystatus.com"),
            (Fault(status=200, raw=b"<html>", headers={"content-type": "text/html"}), "proxy"),
        ],
    )
    def test_a_refused_deployment_has_a_cure(self, harness, platform, fault, cure):
        platform.add_fault("POST", "/deploys$", fault, times=20)
        with pytest.raises(DeployError) as raised:
            harness.deploy_sample()
        assert cure in raised.value.hint
        assert platform.get_published() is None
