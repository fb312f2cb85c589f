"""Serve the fake: `python -m tests.vercel.fake --store DIR` prints its address."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.platform_fakes.command import serve_until_signal
from tests.vercel.fake.server import FakeVercel


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--plan", choices=["hobby", "pro", "enterprise"], default="pro")
    options = parser.parse_args()
    serve_until_signal(lambda: FakeVercel(options.store, port=options.port, plan=options.plan))


if __name__ == "__main__":
    main()
