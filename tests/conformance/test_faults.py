"""Deploys to Acme while three in ten requests fail at random."""

import mastra_deployer_acme.hooks
from acme_fake import AcmeFake

from mastra_deployer.testing import DeployerSuite


class RandomFaultSuite(DeployerSuite):
    """Not collected: one of its tests is called."""

    random_fault_runs = 25


class CheckedFake(AcmeFake):
    """Fails when more than one deployment is live."""

    def get_live(self, environment):
        live = [app for app in self.store.apps.values() if app.get_live(environment)]
        assert len(live) <= 1, f"{len(live)} deployments are live"
        return super().get_live(environment)


def test_one_deployment_is_live_after_random_faults(tmp_path):
    acme, suite = CheckedFake(tmp_path / "acme"), RandomFaultSuite()
    acme.start()
    with suite.run_harness(mastra_deployer_acme.hooks, acme, tmp_path / "harness") as harness:
        suite.test_deploy_survives_random_faults(harness)
        failed = sum(exchange.fault is not None for exchange in harness.proxy.exchanges)
    acme.stop()
    assert failed > 50, "too few faults to show anything; retries decide how many there are"
