"""Run writes one after another, also if a signal handler logs during a write."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ("WriteSequence",)

_MAX_DEPTH = 100  # writes of which each has caused the next


class WriteSequence:
    """Writes that never run within one another.

    A signal handler or a finalizer may log in the middle of a write of its own thread. A reentrant
    lock lets its thread pass, so the new line would be written within the line that is being
    written. Such a write waits until the write that it has interrupted ends.

    A signal handler may also raise an exception, such as ``SystemExit``. The interrupted write then
    ends early. The exception leaves ``run`` after all waiting writes have run, so the last line of
    the signal handler is not lost.

    The destination of a write may itself log, and so cause the next write. After 100 such writes,
    of which each has caused the next, a further write is refused. The sequence therefore ends.

    The attribute ``logging_thread`` is the identifier of the thread whose present write may itself
    log, or 0.

    :param lock: a reentrant lock, which makes the threads wait for one another.
    """

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        # Each write, whether it may log, and its depth.
        self._waiting: deque[tuple[Callable[[], object], bool, int]] = deque()
        # The thread that writes. A child process of a fork has only the thread that forked, so
        # the write of another thread does not stop the writes of the child.
        self._writing_thread = 0
        self._depth = 0  # how many writes have caused the present write, one after another
        self.logging_thread = 0

    def is_writing(self) -> bool:
        """Return whether the calling thread is within a write."""
        return self._writing_thread == threading.get_ident()

    def run(self, write: Callable[[], object], *, may_log: bool = True) -> bool:
        """Run a write now; during another write of this thread, after the other write.

        Return ``False`` if the write is refused, because 100 writes have caused one another.

        :param write: the write.
        :param may_log: whether the write may itself log.
        """
        thread = threading.get_ident()
        with self._lock:
            depth = self._depth + 1 if self._writing_thread == thread else 0
            if depth > _MAX_DEPTH:
                return False
            self._waiting.append((write, may_log, depth))
            self._run_waiting(thread)
        return True

    def _run_waiting(self, thread: int) -> None:
        """Run all waiting writes, unless this thread is within a write, which will run them.

        A signal handler may log between any two instructions. While ``_writing_thread`` is not
        set, the call of ``run`` by the handler runs all waiting writes. While ``_writing_thread``
        is set, the write of the handler waits. Either the loop or the ``finally`` clause runs it.
        """
        if self._writing_thread != thread:
            self._writing_thread = thread
            try:
                while self._waiting:
                    write, may_log, self._depth = self._waiting.popleft()
                    self.logging_thread = thread if may_log else 0
                    write()
            finally:
                self.logging_thread = self._writing_thread = 0
                if self._waiting:
                    self._run_waiting(thread)
