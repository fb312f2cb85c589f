"""How many at once: fewer when the platform says it is too much, then slowly more again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError

from mastra_deployer.kit.clock import now, sleep, stopped_by

__all__ = ("Pace", "pause", "slow_down", "speed_up")

_thread = threading.local()


class Pace:
    """Lets so many threads work at a time as the platform bears.

    Being told to slow down halves the number, once for all requests that were under way; each
    request that goes well adds its share of one. Who waits for a retry makes room meanwhile.

    :param most: threads at the best of times.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._active = 0
        self._shrunk = 0.0
        self._closed_until = 0.0
        self._room = threading.Condition()
        self._stop = threading.Event()

    @property
    def limit(self) -> int:
        """How many may work now."""
        return int(self._limit)

    @property
    def is_stopped(self) -> bool:
        """Whether all was stopped."""
        return self._stop.is_set()

    @contextlib.contextmanager
    def worker(self) -> Iterator[None]:
        """Waits and retries of this thread go by this pace."""
        _thread.pace = self
        try:
            with stopped_by(self._stop):
                yield
        finally:
            del _thread.pace

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Work, when there is room.

        :raises CancelledError: when all was stopped meanwhile.
        """
        self._enter()
        try:
            self._refuse_when_stopped()
            yield
        finally:
            self._leave()

    def step_aside(self, seconds: float) -> None:
        """Within a turn: wait, letting others work, and go on when there is room."""
        self._leave()
        try:
            sleep(seconds)
        finally:
            self._enter()
        self._refuse_when_stopped()

    def stop(self) -> None:
        """No more turns; all waits end."""
        self._stop.set()
        with self._room:
            self._room.notify_all()

    def slow_down(self, since: float, wait: float) -> None:
        """A request that began at ``since`` was told to come again after ``wait`` seconds."""
        with self._room:
            self._closed_until = max(self._closed_until, now() + wait)
            if since >= self._shrunk:  # later ones were told so before the last step down
                self._limit = max(1.0, self._limit / 2)
                self._shrunk = now()

    def speed_up(self) -> None:
        """A request went well."""
        with self._room:
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
            self._room.notify()

    def _enter(self) -> None:
        while True:
            with self._room:
                self._room.wait_for(lambda: self._stop.is_set() or self._active < self.limit)
                wait = self._closed_until - now()
                if self._stop.is_set() or wait <= 0:
                    self._active += 1
                    return
            with contextlib.suppress(CancelledError):  # the next look sees it
                sleep(wait)

    def _refuse_when_stopped(self) -> None:
        if self._stop.is_set():
            raise CancelledError

    def _leave(self) -> None:
        with self._room:
            self._active -= 1
            self._room.notify()


def pause(seconds: float) -> None:
    """Wait before a retry: as this thread's pace wants it, where it has one."""
    pace: Pace | None = getattr(_thread, "pace", None)
    if pace is None:
        sleep(seconds)
    else:
        pace.step_aside(seconds)


def slow_down(since: float, wait: float) -> None:
    """Tell this thread's pace, if it has one, that the platform said "later"."""
    if (pace := getattr(_thread, "pace", None)) is not None:
        pace.slow_down(since, wait)


def speed_up() -> None:
    """Tell this thread's pace, if it has one, that a request went well."""
    if (pace := getattr(_thread, "pace", None)) is not None:
        pace.speed_up()
