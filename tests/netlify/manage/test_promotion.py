"""What cannot be promoted or rolled back to is refused, with a cure."""

import dataclasses

import pytest

from mastra_core.errors import DeployError
from tests.netlify.suite import NetlifyFixtures


class TestPromotion(NetlifyFixtures):
    def test_an_unknown_deployment_is_named_with_its_site(self, harness):
        harness.deploy_sample()
        for verb in ("promote", "rollback"):
            with pytest.raises(DeployError, match="site 'shop' has no deployment 'other'"):
                harness.call(verb, "other", harness.recorder)

    def test_a_deployment_of_another_site_is_not_published(self, harness, platform):
        live = harness.deploy_sample()
        state = platform.platform
        site, deploy = next(iter(state.sites.values())), state.deploys[live.id]
        state.sites["other"] = dataclasses.replace(site, id="other", name="other")
        state.deploys["foreign"] = dataclasses.replace(deploy, id="foreign", site="other")
        state.ignores_site_of_path = True
        for verb in ("promote", "rollback"):
            with pytest.raises(DeployError, match="site 'shop' has no deployment 'foreign'"):
                harness.call(verb, "foreign", harness.recorder)
        assert harness.get_live().id == live.id

    def test_the_first_deployment_has_no_earlier_one(self, harness):
        live = harness.deploy_sample()
        harness.deploy_sample("p", "preview")
        with pytest.raises(DeployError, match="no earlier deployment in production") as raised:
            harness.call("rollback", "", harness.recorder)
        assert "mastra deployments" in raised.value.hint
        assert harness.get_live().id == live.id

    @pytest.mark.parametrize("verb", ["promote", "rollback"])
    def test_a_preview_stays_a_preview(self, harness, verb):
        live = harness.deploy_sample()
        preview = harness.deploy_sample("p", "preview")
        with pytest.raises(DeployError, match="have the values for previews") as raised:
            harness.call(verb, preview.id, harness.recorder)
        assert "mastra deploy netlify --prod" in raised.value.hint
        assert harness.get_live().id == live.id

    def test_a_publication_that_another_command_replaces_ends(self, harness, platform):
        """It would otherwise wait until its time is over."""
        harness.deploy_sample()
        drafts = [
            harness.deploy_without_promotion(harness.bundle(change), promote=False).id
            for change in "ab"
        ]

        def replace(exchange):
            if exchange.method == "GET" and platform.get_published().id == drafts[0]:
                state = platform.platform
                state.publish(next(iter(state.sites.values())), state.deploys[drafts[1]])

        with harness.proxy.apply_rule(replace), pytest.raises(DeployError) as raised:
            harness.call("promote", drafts[0], harness.recorder)
        assert f"published {drafts[0]}, and then {drafts[1]}" in raised.value.message
        assert f"mastra promote {drafts[0]}" in raised.value.hint
        assert harness.get_live().id == drafts[1]
        assert harness.call("promote", drafts[0], harness.recorder).live

    def test_a_site_that_another_command_creates_meanwhile_has_no_other_owner(
        self, harness, platform
    ):
        """The doctor finds no site, then the site exists."""

        def create(exchange):
            state = platform.platform
            if exchange.path.startswith("/api/v1/sites?") and not state.sites:
                state.create_site("shop", state.teams[0])

        with harness.proxy.apply_rule(create):
            assert list(harness.call("diagnose")) == []
        assert len(platform.platform.sites) == 1
