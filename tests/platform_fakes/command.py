"""The command that serves a fake in a process of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any


def serve_until_signal(create: Callable[[], Any]) -> None:
    """Start a fake, print its address, and stop the fake after SIGINT or SIGTERM."""
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before threads start, which inherit it
    fake = create()
    print(fake.url, flush=True)
    try:
        signal.sigwait(signals)
    finally:
        fake.stop()
