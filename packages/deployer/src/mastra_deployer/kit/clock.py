"""Time for everything in the kit that waits, so that tests need not.

Under ``no_waiting`` a wait takes no time and time appears to have passed. The clock is that of
the whole process: waits happen in the threads of an upload too.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError

__all__ = ("no_waiting", "now", "sleep", "stopped_by")


_TURN = 0.001  # in which all who begin to wait together get to say so


class _Virtual:
    """How far time was moved on, and how many want it to be."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.ahead = 0.0


_virtual = _Virtual()
_thread = threading.local()


def now() -> float:
    """Seconds that only ever grow; good for differences."""
    return time.monotonic() + _virtual.ahead


def sleep(seconds: float) -> None:
    """Wait.

    :raises CancelledError: when this thread works for something that was stopped meanwhile.
    """
    stop: threading.Event | None = getattr(_thread, "stop", None)
    if _virtual.users:
        until = now() + seconds
        time.sleep(_TURN)
        _pass(until)
    elif stop is None:
        time.sleep(max(0.0, seconds))
    else:
        stop.wait(max(0.0, seconds))
    if stop is not None and stop.is_set():
        raise CancelledError


@contextlib.contextmanager
def no_waiting() -> Iterator[None]:
    """Waits take no time, in all threads of this process; time appears to pass."""
    with _virtual.lock:
        _virtual.users += 1
    try:
        yield
    finally:
        with _virtual.lock:
            _virtual.users -= 1


@contextlib.contextmanager
def stopped_by(stop: threading.Event) -> Iterator[None]:
    """Waits of this thread end early, with ``CancelledError``, once ``stop`` is set."""
    _thread.stop = stop
    try:
        yield
    finally:
        del _thread.stop


def _pass(until: float) -> None:
    """Move time on to ``until``; who waits at the same time waits once."""
    with _virtual.lock:
        _virtual.ahead += max(0.0, until - now())
