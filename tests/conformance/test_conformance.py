"""The conformance suite on the example, on one with every verb, and on subclasses that cheat."""

import mastra_deployer_acme
import pytest
from test_mastra_deployer_acme import TestAcme

from mastra_deployer.testing import DeployerSuite
from tests.conformance.deployer_sources import forget, module_of, whole

EXAMPLE = TestAcme  # pytest collects it here, as it does where its author keeps it


class TestWhole(TestAcme):
    @pytest.fixture
    def deployer(self, tmp_path):
        module = module_of(whole(), tmp_path)
        yield module
        forget(module, tmp_path)


def test_the_example_is_short_enough_to_copy():
    with open(mastra_deployer_acme.__file__, encoding="utf-8") as source:
        assert len(source.readlines()) < 100


def test_a_promise_is_not_taken_back_in_silence():
    with pytest.raises(TypeError, match="test_a_bundle_holds_no_secret"):

        class Silent(DeployerSuite):
            def test_a_bundle_holds_no_secret(self):
                pass


@pytest.mark.parametrize(
    "name", ["test_a_bundle_holds_no_secret", "test_the_target_has_a_description"]
)
def test_neither_by_a_mixin_nor_by_nothing(name):
    mixin = type("Mixin", (), {name: lambda self: None})
    with pytest.raises(TypeError, match=name):
        type("Mixed", (mixin, DeployerSuite), {})
    with pytest.raises(TypeError, match=name):
        type("Emptied", (DeployerSuite,), {name: None})


@pytest.mark.parametrize("reason", ["", "  ", None])
def test_a_reason_has_words(reason):
    @pytest.mark.xfail(reason=reason)
    def test(self):
        pass

    with pytest.raises(TypeError, match="reason"):
        type("Wordless", (DeployerSuite,), {"test_a_copied_bundle_loads": test})


def test_with_a_reason_a_promise_is_expected_to_fail():
    @pytest.mark.xfail(reason="Acme's bundles melt.")
    def test(self):
        pass

    suite = type("Honest", (DeployerSuite,), {"test_a_copied_bundle_loads": test})
    assert suite.test_a_copied_bundle_loads is test


def test_every_promise_is_said_in_a_sentence():
    promises = [name for name in dir(DeployerSuite) if name.startswith("test_")]
    assert len(promises) > 40
    for name in promises:
        words = (getattr(DeployerSuite, name).__doc__ or "").strip()
        assert words.endswith("."), name
