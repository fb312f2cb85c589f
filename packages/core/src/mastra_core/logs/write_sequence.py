"""Run writes one after another, also if a signal handler logs during a write."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ("WriteSequence",)


class WriteSequence:
    """Writes that never run within one another.

    A signal handler or a finalizer may log in the middle of a write of its own thread. A reentrant
    lock lets its thread pass, so the new line would be written within the line that is being
    written. Such a write runs after the write that it has interrupted.

    :param lock: a reentrant lock, which makes the threads wait for one another.
    """

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._waiting: deque[Callable[[], object]] = deque()
        # The thread that writes. A child process of a fork has only the thread that forked, so
        # the write of another thread does not stop the writes of the child.
        self._writing_thread = 0

    def run(self, write: Callable[[], object]) -> None:
        """Run a write now; during another write of this thread, after the other write.

        :param write: the write.
        """
        thread = threading.get_ident()
        with self._lock:
            self._waiting.append(write)
            # Both conditions are checked again, because a signal handler may run between any two
            # instructions: before the first assignment it writes all, and later it only appends.
            while self._waiting and self._writing_thread != thread:
                self._writing_thread = thread
                try:
                    while self._waiting:
                        self._waiting.popleft()()
                finally:
                    self._writing_thread = 0
