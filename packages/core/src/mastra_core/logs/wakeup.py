"""Wake a thread that waits, also from a signal handler or a finalizer."""

from __future__ import annotations

import contextlib
import threading

__all__ = ("Wakeup",)


class Wakeup:
    """A flag for which one thread waits; ``wait`` clears the flag.

    While a method of ``threading.Event`` holds the event's lock, a signal handler or a finalizer
    may run in the same thread. A handler that sets the same event would wait for this lock forever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # released while the flag is set
        self._lock.acquire()

    def set(self) -> None:
        """Set the flag and wake the thread; a thread that waits later wakes at once."""
        with contextlib.suppress(RuntimeError):  # the flag is set already
            self._lock.release()

    def wait(self, seconds: float = -1) -> None:
        """Wait until the flag is set, and clear it.

        :param seconds: how long to wait; without a limit by default.
        """
        self._lock.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))

    def is_set(self) -> bool:
        """Return whether the flag is set."""
        return not self._lock.locked()
