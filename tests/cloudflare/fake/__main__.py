"""Serve the fake: `python -m tests.cloudflare.fake` prints its address."""

from __future__ import annotations

import signal

from tests.cloudflare.fake.server import FakeCloudflare


def main() -> None:
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before threads start
    fake = FakeCloudflare()
    print(fake.url, flush=True)
    try:
        signal.sigwait(signals)
    finally:
        fake.stop()


if __name__ == "__main__":
    main()
