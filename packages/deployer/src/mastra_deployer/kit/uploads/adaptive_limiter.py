"""Limit concurrent requests: a rejection halves the limit, and successes raise it slowly."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError

from mastra_deployer.kit.clock import cancel_waits_on, now, sleep

__all__ = (
    "AdaptiveLimiter",
    "has_limiter",
    "report_rejection",
    "report_success",
    "wait_for_retry",
)

_thread = threading.local()


class AdaptiveLimiter:
    """Limits the number of threads that work at the same time.

    A rejected request halves the limit. Rejections of other requests that were active at the same
    time do not halve the limit again. Each successful request raises the limit by ``1 / limit``. A
    thread that waits for a retry releases its slot during the wait.

    :param maximum: the largest number of threads at a time, which is also the limit at the start.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._limit = float(maximum)
        self._active = 0
        self._lowered_at = 0.0
        self._closed_until = 0.0
        self._condition = threading.Condition()
        self._stop = threading.Event()

    @property
    def limit(self) -> int:
        """The number of threads that may work at this moment."""
        return int(self._limit)

    @property
    def is_stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stop.is_set()

    @contextlib.contextmanager
    def bind_thread(self) -> Iterator[None]:
        """Within the block, use this limiter for the retries of this thread."""
        _thread.limiter = self
        try:
            with cancel_waits_on(self._stop):
                yield
        finally:
            del _thread.limiter

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """Wait until a slot is free, and hold it within the block.

        :raises CancelledError: when the limiter was stopped during the wait.
        """
        self._acquire()
        try:
            self._raise_if_stopped()
            yield
        finally:
            self._release()

    def yield_slot(self, seconds: float) -> None:
        """Release the slot of this thread, wait, and acquire a slot again.

        :param seconds: how long to wait.
        :raises CancelledError: when the limiter was stopped during the wait.
        """
        self._release()
        try:
            sleep(seconds)
        finally:
            self._acquire()
        self._raise_if_stopped()

    def stop(self) -> None:
        """Raise ``CancelledError`` in each thread that waits for a slot, now or later."""
        self._stop.set()
        with self._condition:
            self._condition.notify_all()

    def slow_down(self, since: float, wait: float) -> None:
        """Lower the limit after a rejected request.

        :param since: the time of ``clock.now`` at which the request began.
        :param wait: seconds in which no request may begin.
        """
        with self._condition:
            self._closed_until = max(self._closed_until, now() + wait)
            # An older request was rejected under the former limit, which was lowered already.
            if since >= self._lowered_at:
                self._limit = max(1.0, self._limit / 2)
                self._lowered_at = now()

    def speed_up(self) -> None:
        """Raise the limit after a successful request."""
        with self._condition:
            self._limit = min(float(self._maximum), self._limit + 1 / self._limit)
            self._condition.notify()

    def _acquire(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._stop.is_set() or self._active < self.limit)
                wait = self._closed_until - now()
                if self._stop.is_set() or wait <= 0:
                    self._active += 1
                    return
            with contextlib.suppress(CancelledError):  # the next round sees the stop
                sleep(wait)

    def _raise_if_stopped(self) -> None:
        if self._stop.is_set():
            raise CancelledError

    def _release(self) -> None:
        with self._condition:
            self._active -= 1
            self._condition.notify()


def has_limiter() -> bool:
    """Return whether this thread works for an upload, and therefore has a limiter."""
    return hasattr(_thread, "limiter")


def wait_for_retry(seconds: float) -> None:
    """Wait before a retry; during the wait, this thread has no slot of its limiter.

    :param seconds: how long to wait.
    """
    limiter: AdaptiveLimiter | None = getattr(_thread, "limiter", None)
    if limiter is None:
        sleep(seconds)
    else:
        limiter.yield_slot(seconds)


def report_rejection(since: float, wait: float) -> None:
    """Lower the limit of the ``AdaptiveLimiter`` in which this thread works, if any.

    :param since: the time of ``clock.now`` at which the rejected request began.
    :param wait: seconds in which no request may begin.
    """
    if (limiter := getattr(_thread, "limiter", None)) is not None:
        limiter.slow_down(since, wait)


def report_success() -> None:
    """Raise the limit of the ``AdaptiveLimiter`` in which this thread works, if any."""
    if (limiter := getattr(_thread, "limiter", None)) is not None:
        limiter.speed_up()
