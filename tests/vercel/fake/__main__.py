"""Serve the fake: `python -m tests.vercel.fake --store DIR` prints its address."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from tests.vercel.fake.server import FakeVercel


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--plan", choices=["hobby", "pro", "enterprise"], default="pro")
    options = parser.parse_args()
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(
        signal.SIG_BLOCK, signals
    )  # before threads start, so that none receives them
    fake = FakeVercel(options.store, port=options.port, plan=options.plan)
    print(fake.url, flush=True)
    try:
        signal.sigwait(signals)
    finally:
        fake.stop()


if __name__ == "__main__":
    main()
