"""Serve the fake: `python -m tests.netlify.fake` prints its address."""

from __future__ import annotations

import signal

from tests.netlify.fake.server import FakeNetlify


def main() -> None:
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before threads start
    fake = FakeNetlify()
    print(fake.url, flush=True)
    try:
        signal.sigwait(signals)
    finally:
        fake.stop()


if __name__ == "__main__":
    main()
