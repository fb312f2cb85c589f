"""Deploys to Acme while three in ten requests fail at random: 429, 500, resets and lost answers.

python bench/faults.py [STORMS]     200 where left out; needs mastra-deployer[testing]

Each deploy is run again until it succeeds, at most three times. It prints how many runs were
needed; it fails where half a deployment is ever live, or another one than the last in the end.
"""

from __future__ import annotations

import collections
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples" / "mastra-deployer-acme"))

import mastra_deployer_acme  # noqa: E402  # found by the line above
from acme_fake import AcmeFake  # noqa: E402  # found by the line above

from mastra_deployer.testing import DeployerSuite  # noqa: E402  # stands with the others


class Storms(DeployerSuite):
    """Counts the runs of each storm."""

    def __init__(self) -> None:
        self.runs: collections.Counter[int] = collections.Counter()

    def _ride(self, *arguments) -> int:
        runs = super()._ride(*arguments)
        self.runs[runs] += 1
        return runs


def main(storms: int) -> None:
    Storms.storms = storms
    suite, begun = Storms(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mastra-faults-") as scratch:
        acme = AcmeFake(Path(scratch) / "acme")
        acme.start()
        with suite.rigged(mastra_deployer_acme, acme, Path(scratch) / "rig") as rig:
            suite.test_a_storm_is_ridden_out(rig)
            exchanges = rig.proxy.exchanges
        acme.stop()
    failed = sum(exchange.fault is not None for exchange in exchanges)
    print(f"{storms} deploys in {time.monotonic() - begun:.0f} s, retry waits off")
    print(f"{len(exchanges)} requests, {failed} of them failed")
    for runs, count in sorted(suite.runs.items()):
        print(f"{count:4} took {runs} run{'s' if runs > 1 else ''}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
