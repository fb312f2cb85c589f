"""Sends many things at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from typing import Generic, TypeVar

from mastra_core.pipeline import Report
from mastra_deployer.kit.adaptive_limiter import Pace

__all__ = ("upload",)

T = TypeVar("T")
R = TypeVar("R")

_MOST = 25  # more threads on one client only wait for one another
_GRACE = 5.0  # seconds that requests under way get once one has failed


def upload(
    items: Iterable[T],
    send: Callable[[T], R],
    *,
    report: Report,
    size: Callable[[T], int] = lambda _: 1,
    concurrency: int = 20,
) -> list[R]:
    """Call ``send`` for every item, many at a time.

    With a client of ``connect`` in it, fewer run while the platform says 429 or 503, and more
    again when it does not.

    :param send: runs in threads; retries belong to the client it uses.
    :param size: bytes of an item, for progress.
    :param concurrency: at most 25.
    :returns: the results, in the order of the items.
    :raises Exception: the first one that ``send`` raised; what has not begun is not sent.
    """
    count = max(1, min(concurrency, _MOST))
    work = _Work(list(items), send, Pace(count))
    sizes = [size(item) for item in work.items]
    total, done = sum(sizes), 0
    report.advance(0, total)
    threads = work.start(min(count, len(sizes)))
    try:
        for index in work.finished():
            done += sizes[index]
            report.advance(done, total)
    except Exception:
        work.pace.stop()
        for thread in threads:
            thread.join(_GRACE / len(threads))
        raise
    finally:
        work.pace.stop()
    return [work.results[index] for index in range(len(sizes))]


class _Work(Generic[T, R]):
    """The items, who sends them, and what came of it.

    Threads of our own, since those of a pool would be waited for after Ctrl-C.
    """

    def __init__(self, items: list[T], send: Callable[[T], R], pace: Pace) -> None:
        self.items = items
        self.results: dict[int, R] = {}
        self.pace = pace
        self._send = send
        self._waiting = iter(enumerate(items))
        self._lock = threading.Lock()
        self._done: queue.SimpleQueue[tuple[int, BaseException | None]] = queue.SimpleQueue()

    def start(self, count: int) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def finished(self) -> Iterator[int]:
        """Numbers of items as they are done; raises what the first failure raised."""
        for _ in self.items:
            index, error = self._done.get()
            if error is not None:
                raise error
            yield index

    def _run(self) -> None:
        with self.pace.worker():
            while True:
                with self._lock:
                    index, item = next(self._waiting, (-1, None))
                if item is None and index < 0:
                    return
                if not self._one(index, item):  # type: ignore[arg-type]  # only None after the last
                    return

    def _one(self, index: int, item: T) -> bool:
        """Send one; whether to go on."""
        try:
            with self.pace.turn():
                self.results[index] = self._send(item)
        except BaseException as error:  # noqa: BLE001  # it is raised where upload was called
            if not (isinstance(error, CancelledError) and self.pace.is_stopped):
                self._done.put((index, error))
            self.pace.stop()
            return False
        self._done.put((index, None))
        return True
