"""Variables in Netlify's store: stages, secrets, and variables of other tools."""

from mastra_core.secret import Secret
from tests.netlify.fake.state import Variable
from tests.netlify.suite import NetlifyFixtures


class TestVariables(NetlifyFixtures):
    def set(self, harness, stage, **values):
        harness.set_variables(stage, values)

    def unset(self, harness, stage, *names):
        store = harness.call("env", stage)
        with harness.observe_call():
            store.unset(names)

    def test_stages_have_values_of_their_own(self, harness, platform):
        self.set(harness, "production", KEY="live")
        self.set(harness, "preview", KEY="draft")
        variable = platform.find_site().variables["KEY"]
        previews = {"deploy-preview": "draft", "branch-deploy": "draft"}
        assert variable.values == {"production": "live", **previews}
        assert variable.is_secret and "post-processing" not in variable.scopes
        self.unset(harness, "production", "KEY")
        assert variable.values == previews
        self.unset(harness, "preview", "KEY")
        assert not platform.find_site().variables

    def test_a_variable_of_all_contexts_stays_in_the_others(self, harness, platform):
        self.set(harness, "production", OTHER="1")
        shared = Variable(key="KEY", scopes=["functions"], is_secret=False, values={"all": "x"})
        platform.find_site().variables["KEY"] = shared
        self.unset(harness, "production", "KEY")
        values = platform.find_site().variables["KEY"].values
        assert values == dict.fromkeys(("deploy-preview", "branch-deploy", "dev"), "x")

    def test_a_change_has_a_time(self, harness, platform):
        store = harness.call("env", "production")
        with harness.observe_call():
            assert store.get_change_time() is None
            store.set({"KEY": Secret("value-of-key")})
            assert store.get_change_time() is not None

    def test_values_of_single_contexts_replace_the_shared_value(self, harness, platform):
        self.set(harness, "production", OTHER="1")
        values = {"branch-deploy": "own", "all": "x"}
        variable = Variable(key="KEY", scopes=["functions"], is_secret=False, values=values)
        platform.find_site().variables["KEY"] = variable
        self.unset(harness, "production", "KEY")
        values = platform.find_site().variables["KEY"].values
        assert values == {"branch-deploy": "own", "deploy-preview": "x", "dev": "x"}
