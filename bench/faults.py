"""Deploy to Acme while three in ten requests fail at random: 429, 500, resets and lost answers.

python bench/faults.py            200 deploys; needs mastra-deployer[testing]
python bench/faults.py --quick    5 deploys

Each deploy is repeated until it succeeds, at most three times. The script prints how many runs the
deploys needed. It fails if half a deployment is ever live, or if the last one is not live in the
end.
"""

from __future__ import annotations

import collections
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from options import create_parser, write_json

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples" / "mastra-deployer-acme"))

import mastra_deployer_acme.hooks  # noqa: E402  # importable since the line above
from acme_fake import AcmeFake  # noqa: E402  # importable since the line above

from mastra_deployer.testing import DeployerSuite  # noqa: E402  # stands with the others

DEPLOYS, QUICK_DEPLOYS = 200, 5


class CountingSuite(DeployerSuite):
    """Count how many runs each deploy needs."""

    def __init__(self) -> None:
        self.runs: collections.Counter[int] = collections.Counter()

    def _deploy_until_success(self, *arguments) -> int:
        runs = super()._deploy_until_success(*arguments)
        self.runs[runs] += 1
        return runs


def main(arguments: Sequence[str]) -> None:
    parser = create_parser(
        "Deploy while requests fail at random.", quick=f"{QUICK_DEPLOYS} deploys"
    )
    options = parser.parse_args(arguments)
    deploys = CountingSuite.random_fault_runs = QUICK_DEPLOYS if options.quick else DEPLOYS
    suite, start = CountingSuite(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mastra-faults-") as scratch:
        acme = AcmeFake(Path(scratch) / "acme")
        acme.start()
        with suite.run_harness(
            mastra_deployer_acme.hooks, acme, Path(scratch) / "harness"
        ) as harness:
            suite.test_deploy_survives_random_faults(harness)
            exchanges = harness.proxy.exchanges
        acme.stop()
    failed = sum(exchange.fault is not None for exchange in exchanges)
    print(f"{deploys} deploys in {time.monotonic() - start:.0f} s, without waits before retries")
    print(f"{len(exchanges)} requests, {failed} of them failed")
    for runs, count in sorted(suite.runs.items()):
        print(f"{count:4} needed {runs} run{'s' if runs > 1 else ''}")
    write_json(
        options.json, {"requests": len(exchanges), "failed": failed, "runs": dict(suite.runs)}
    )


if __name__ == "__main__":
    main(sys.argv[1:])
