"""The conformance suite on the example, on a deployer with every hook, and its own rules."""

import os
from pathlib import Path

import mastra_deployer_acme.hooks
import pytest
from acme_fake import AcmeFake
from test_mastra_deployer_acme import TestAcme

from mastra_deployer.testing import DeployerSuite
from tests.conformance.deployer_sources import load_module, read_source, unload_module

EXAMPLE = TestAcme  # pytest collects it here too


class TestAllHooks(TestAcme):
    @pytest.fixture
    def deployer(self, tmp_path):
        module = load_module(read_source(), tmp_path)
        yield module
        unload_module(module, tmp_path)


def test_the_home_directory_is_empty_during_tests(tmp_path):
    home, acme = Path.home(), AcmeFake(tmp_path / "acme")
    acme.start()
    with DeployerSuite().run_harness(mastra_deployer_acme.hooks, acme, tmp_path / "h"):
        assert Path.home() == tmp_path / "h" / "home"
        assert not list(Path.home().iterdir())
        assert Path(os.environ["MASTRA_CACHE_DIR"]).is_dir()
    acme.stop()
    assert Path.home() == home


def test_a_setting_may_have_several_variables(tmp_path):
    source = read_source()
    source = source.replace('{"env": "ACME_TOKEN"}', '{"env": ("ACME_TOKEN", "ACME_OLD_TOKEN")}')
    module, acme = load_module(source, tmp_path), AcmeFake(tmp_path / "acme")
    acme.start()
    suite = DeployerSuite()
    with suite.run_harness(module, acme, tmp_path / "h") as harness:
        suite.test_bundling_needs_no_credentials(harness)
    acme.stop()
    unload_module(module, tmp_path)


def test_the_example_is_short_enough_to_copy():
    with open(mastra_deployer_acme.hooks.__file__, encoding="utf-8") as source:
        assert len(source.readlines()) < 100


def test_overriding_a_test_without_xfail_is_rejected():
    with pytest.raises(TypeError, match="test_a_bundle_holds_no_secret"):

        class Silent(DeployerSuite):
            def test_a_bundle_holds_no_secret(self):
                pass


@pytest.mark.parametrize(
    "name", ["test_a_bundle_holds_no_secret", "test_the_target_has_a_description"]
)
def test_overriding_by_a_mixin_or_by_none_is_rejected(name):
    mixin = type("Mixin", (), {name: lambda self: None})
    with pytest.raises(TypeError, match=name):
        type("Mixed", (mixin, DeployerSuite), {})
    with pytest.raises(TypeError, match=name):
        type("Emptied", (DeployerSuite,), {name: None})


@pytest.mark.parametrize("reason", ["", "  ", None])
def test_an_xfail_without_a_reason_is_rejected(reason):
    @pytest.mark.xfail(reason=reason)
    def test(self):
        pass

    with pytest.raises(TypeError, match="reason"):
        type("NoReason", (DeployerSuite,), {"test_a_copied_bundle_loads": test})


def test_an_xfail_with_a_reason_is_accepted():
    @pytest.mark.xfail(reason="Acme's bundles melt.")
    def test(self):
        pass

    suite = type("Honest", (DeployerSuite,), {"test_a_copied_bundle_loads": test})
    assert suite.test_a_copied_bundle_loads is test


def test_every_test_has_a_docstring_of_a_sentence():
    names = [name for name in dir(DeployerSuite) if name.startswith("test_")]
    assert len(names) > 40
    for name in names:
        docstring = (getattr(DeployerSuite, name).__doc__ or "").strip()
        assert docstring.endswith("."), name
