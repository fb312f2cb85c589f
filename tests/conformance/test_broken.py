"""The tests of the tests: deployers that are broken one way each, each caught by its promise."""

import inspect

import pytest
from acme_fake import AcmeFake

from mastra_deployer.testing import DeployerSuite
from tests.conformance.broken_deployers import BREAKAGES
from tests.conformance.deployer_sources import forget, module_of


class Suite(DeployerSuite):
    """Not collected: its promises are called one by one."""

    patience = 200


class Careless(AcmeFake):
    """Releases at once what it has, files missing or not."""

    def release(self, app, stage, *words):
        self.kept.careless = True
        made = super().release(app, stage, *words)
        if made.state == "building":
            self._done(app, stage, made, self.url)
        return made


@pytest.fixture
def platform(request, tmp_path):
    careless = "before the files" in request.node.name
    acme = (Careless if careless else AcmeFake)(tmp_path / "acme")
    acme.start()
    yield acme
    acme.stop()


@pytest.fixture
def deployer(request, tmp_path):
    module = module_of(BREAKAGES[request.param][2], tmp_path)
    yield module
    forget(module, tmp_path)


def test_there_are_enough_of_them():
    assert len(BREAKAGES) >= 25
    promises = {name for name in dir(DeployerSuite) if name.startswith("test_")}
    caught = {test for test, _, _ in BREAKAGES.values()}
    assert caught <= promises
    assert len(promises - caught) <= 3, "promises that nothing is known to break"


@pytest.mark.parametrize(
    ("deployer", "name"), [(name, name) for name in BREAKAGES], indirect=["deployer"], ids=BREAKAGES
)
def test_it_is_caught(deployer, platform, tmp_path, name):
    test, words, _ = BREAKAGES[name]
    suite = Suite()
    promise = getattr(suite, test)
    caught = pytest.raises((Exception, pytest.fail.Exception))
    if "rig" not in inspect.signature(promise).parameters:
        with caught as raised:
            promise(deployer)
    else:
        with suite.rigged(deployer, platform, tmp_path / "rig") as rig, caught as raised:
            promise(rig)
    assert words in str(raised.value), str(raised.value)
