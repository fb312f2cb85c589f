"""What cannot be promoted or rolled back to is refused, with a cure."""

import pytest

from mastra_core.errors import DeployError
from tests.netlify.suite import NetlifyFixtures


class TestPromotion(NetlifyFixtures):
    def test_an_unknown_deployment_is_named_with_its_site(self, harness):
        harness.deploy_sample()
        for verb in ("promote", "rollback"):
            with pytest.raises(DeployError, match="site 'shop' has no deployment 'other'"):
                harness.call(verb, "other", harness.recorder)

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
