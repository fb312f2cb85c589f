"""The clock of the kit, whose waits take no time in tests.

The clock belongs to the whole process, because waits also happen in the threads of an upload.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError

__all__ = ("cancel_waits_on", "now", "skip_waits", "sleep")


# Seconds in which threads that begin to wait at the same time compute when their waits end.
_GATHERING = 0.001


class _VirtualTime:
    """The amount of virtual time, and the number of active ``skip_waits`` blocks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.ahead = 0.0


_virtual = _VirtualTime()
_thread = threading.local()


def now() -> float:
    """Return a monotonic time in seconds, plus the virtual time.

    Only the difference of two values has a meaning.
    """
    return time.monotonic() + _virtual.ahead


def sleep(seconds: float) -> None:
    """Wait, or advance virtual time within ``skip_waits``.

    :param seconds: how long to wait; a negative value means no wait.
    :raises CancelledError: when the event of ``cancel_waits_on`` is set before the wait ends.
    """
    event: threading.Event | None = getattr(_thread, "event", None)
    if _virtual.users:
        until = now() + seconds
        time.sleep(_GATHERING)
        _advance_to(until)
    elif event is None:
        time.sleep(max(0.0, seconds))
    else:
        event.wait(max(0.0, seconds))
    if event is not None and event.is_set():
        raise CancelledError


@contextlib.contextmanager
def skip_waits() -> Iterator[None]:
    """Advance virtual time instead of waiting, in all threads of this process."""
    with _virtual.lock:
        _virtual.users += 1
    try:
        yield
    finally:
        with _virtual.lock:
            _virtual.users -= 1


@contextlib.contextmanager
def cancel_waits_on(event: threading.Event) -> Iterator[None]:
    """Within the block, end every wait of this thread with ``CancelledError`` when an event is set.

    :param event: the event, which another thread sets.
    """
    _thread.event = event
    try:
        yield
    finally:
        del _thread.event


def _advance_to(until: float) -> None:
    """Advance virtual time to ``until``; the parallel waits of several threads do not add up."""
    with _virtual.lock:
        _virtual.ahead += max(0.0, until - now())
