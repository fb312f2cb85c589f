"""Call a function for many items in parallel threads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from typing import Generic, TypeVar

from mastra_core.pipeline import Report
from mastra_deployer.kit.uploads.adaptive_limiter import AdaptiveLimiter

__all__ = ("upload",)

T = TypeVar("T")
R = TypeVar("R")

_MAX_THREADS = 25  # with more threads, requests of one client only wait for one another
_GRACE_PERIOD = 5.0  # seconds for active requests after one request has failed


def upload(
    items: Iterable[T],
    send: Callable[[T], R],
    *,
    report: Report,
    size: Callable[[T], int] = lambda _: 1,
    concurrency: int = 20,
) -> list[R]:
    """Call ``send`` for every item, with several calls in parallel.

    If ``send`` uses a client of ``connect``, the number of parallel calls falls after each 429 or
    503. After successful requests, the number of parallel calls rises again.

    :param items: the items, which are sent in this order.
    :param send: sends one item. ``send`` is called in several threads, and should use a client that
        retries.
    :param report: receives the number of sent bytes, as progress.
    :param size: returns the number of bytes of an item, for progress; if left out, each item counts
        as 1.
    :param concurrency: the number of calls at a time, at most 25.
    :returns: the results, in the order of the items.
    :raises Exception: the first exception of ``send``; items that were not yet begun are not sent.
    """
    count = max(1, min(concurrency, _MAX_THREADS))
    workers = _Workers(list(items), send, AdaptiveLimiter(count))
    sizes = [size(item) for item in workers.items]
    total, done = sum(sizes), 0
    report.advance(0, total)
    threads = workers.start(min(count, len(sizes)))
    try:
        for index in workers.iter_done():
            done += sizes[index]
            report.advance(done, total)
    except Exception:
        workers.limiter.stop()
        for thread in threads:
            thread.join(_GRACE_PERIOD / len(threads))
        raise
    finally:
        workers.limiter.stop()
    return [workers.results[index] for index in range(len(sizes))]


class _Workers(Generic[T, R]):
    """Threads that send items, and their results.

    The threads are daemons and do not belong to a pool, because Python waits for the threads of a
    pool after Ctrl-C.
    """

    def __init__(self, items: list[T], send: Callable[[T], R], limiter: AdaptiveLimiter) -> None:
        self.items = items
        self.results: dict[int, R] = {}
        self.limiter = limiter
        self._send = send
        self._pending = iter(enumerate(items))
        self._lock = threading.Lock()
        self._done: queue.SimpleQueue[tuple[int, BaseException | None]] = queue.SimpleQueue()

    def start(self, count: int) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def iter_done(self) -> Iterator[int]:
        """Yield the index of each item after it was sent; raise the first error."""
        for _ in self.items:
            index, error = self._done.get()
            if error is not None:
                raise error
            yield index

    def _run(self) -> None:
        with self.limiter.bind_thread():
            while True:
                with self._lock:
                    index, item = next(self._pending, (-1, None))
                if item is None and index < 0:
                    return
                if not self._send_item(index, item):  # type: ignore[arg-type]  # only None after the last
                    return

    def _send_item(self, index: int, item: T) -> bool:
        """Send one item, and return whether to continue."""
        try:
            with self.limiter.slot():
                self.results[index] = self._send(item)
        except BaseException as error:  # noqa: BLE001  # it is raised where upload was called
            if not (isinstance(error, CancelledError) and self.limiter.is_stopped):
                self._done.put((index, error))
            self.limiter.stop()
            return False
        self._done.put((index, None))
        return True
