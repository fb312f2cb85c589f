"""Deploys to Acme while three in ten requests fail at random."""

import mastra_deployer_acme.hooks
from acme_fake import AcmeFake

from mastra_deployer.testing import DeployerSuite


class RandomFaultSuite(DeployerSuite):
    """Not collected: one of its tests is called."""

    storms = 25


class CheckedFake(AcmeFake):
    """Fails when more than one deployment is live."""

    def live(self, environment):
        live = [app for app in self.store.apps.values() if app.get_live(environment)]
        assert len(live) <= 1, f"{len(live)} deployments are live"
        return super().live(environment)


def test_one_deployment_is_live_after_random_faults(tmp_path):
    acme, suite = CheckedFake(tmp_path / "acme"), RandomFaultSuite()
    acme.start()
    with suite.rigged(mastra_deployer_acme.hooks, acme, tmp_path / "rig") as rig:
        suite.test_a_storm_is_ridden_out(rig)
        failed = sum(exchange.fault is not None for exchange in rig.proxy.exchanges)
    acme.stop()
    assert failed > 100
