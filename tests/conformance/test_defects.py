"""Tests of the conformance suite: each defect of a deployer is found by one of its tests."""

import inspect

import pytest
from acme_fake import AcmeFake
from mastra_deployer_acme import hooks

from mastra_deployer.testing import DeployerSuite
from tests.conformance.defects import DEFECTS
from tests.conformance.deployer_sources import load_module, unload_module


class Suite(DeployerSuite):
    """Not collected: its tests are called one by one."""

    max_requests = 200
    reserved_variables = ("HOST", "PORT")


class UncheckedFake(AcmeFake):
    """Releases a deployment at once, even with missing files."""

    def release(self, app, stage, *arguments):
        self.store.allow_incomplete = True
        release = super().release(app, stage, *arguments)
        if release.state == "building":
            self._finish(app, stage, release, self.url)
        return release


@pytest.fixture
def platform(request, tmp_path):
    unchecked = "before the files" in request.node.name
    acme = (UncheckedFake if unchecked else AcmeFake)(tmp_path / "acme")
    acme.start()
    yield acme
    acme.stop()


@pytest.fixture
def deployer(request, tmp_path):
    module = load_module(DEFECTS[request.param][2], tmp_path)
    yield module
    unload_module(module, tmp_path)


def test_nearly_every_test_of_the_suite_finds_a_defect():
    assert len(DEFECTS) >= 25
    tests = {name for name in dir(DeployerSuite) if name.startswith("test_")}
    tested = {test for test, _, _ in DEFECTS.values()}
    assert tested <= tests
    assert len(tests - tested) <= 3, "tests without a defect that they find"


@pytest.mark.parametrize("deployer", ["everything, always"], indirect=True)
def test_a_platform_for_archives_must_skip_unchanged_ones_too(deployer, platform, tmp_path):
    suite = type("Archives", (Suite,), {"incremental": False})()
    with (
        suite.run_harness(deployer, platform, tmp_path / "harness") as harness,
        pytest.raises(AssertionError, match="were sent again"),
    ):
        suite.test_an_unchanged_bundle_is_not_sent_again(harness)


@pytest.mark.parametrize("url_setting", ["", ("api_url",)])
def test_the_address_of_the_proxy_reaches_the_settings(platform, tmp_path, url_setting):
    environment = {"url_setting": url_setting, "url_env": "" if url_setting else "ACME_API_URL"}
    suite = type("Addresses", (Suite,), environment)()
    with suite.run_harness(hooks, platform, tmp_path / "harness") as harness:
        assert harness.build_access().settings.api_url == harness.proxy.url


@pytest.mark.parametrize(
    ("deployer", "name"), [(name, name) for name in DEFECTS], indirect=["deployer"], ids=DEFECTS
)
def test_the_suite_finds_the_defect(deployer, platform, tmp_path, name):
    test_name, message, _ = DEFECTS[name]
    suite = Suite()
    test = getattr(suite, test_name)
    failure = pytest.raises((Exception, pytest.fail.Exception))
    if "harness" not in inspect.signature(test).parameters:
        with failure as raised:
            test(deployer)
    else:
        with (
            suite.run_harness(deployer, platform, tmp_path / "harness") as harness,
            failure as raised,
        ):
            test(harness)
    assert message in str(raised.value), str(raised.value)
