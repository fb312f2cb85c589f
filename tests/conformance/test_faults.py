"""Deploys to Acme while three in ten requests fail at random."""

import mastra_deployer_acme
from acme_fake import AcmeFake

from mastra_deployer.testing import DeployerSuite


class Storms(DeployerSuite):
    """Not collected: one promise of it is called, often."""

    storms = 25


class Counted(AcmeFake):
    """Acme, where more than one live deployment is noticed whenever somebody looks."""

    def live(self, environment):
        live = [app for app in self.kept.apps.values() if app.seen(environment)]
        assert len(live) <= 1, f"{len(live)} deployments are live"
        return super().live(environment)


def test_one_is_live_after_every_storm_and_never_two(tmp_path):
    acme, suite = Counted(tmp_path / "acme"), Storms()
    acme.start()
    with suite.rigged(mastra_deployer_acme, acme, tmp_path / "rig") as rig:
        suite.test_a_storm_is_ridden_out(rig)
        failed = sum(exchange.fault is not None for exchange in rig.proxy.exchanges)
    acme.stop()
    assert failed > 100
