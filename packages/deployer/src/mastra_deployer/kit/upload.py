"""Sends many things at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from typing import TypeVar

from mastra_core.line import Report

__all__ = ("upload",)

T = TypeVar("T")
R = TypeVar("R")

_MOST = 25  # more threads on one client only wait for one another


def upload(
    items: Iterable[T],
    send: Callable[[T], R],
    *,
    report: Report,
    size: Callable[[T], int] = lambda _: 1,
    concurrency: int = 20,
) -> list[R]:
    """Call ``send`` for every item, many at a time.

    :param send: runs in threads; retries belong to the client it uses.
    :param size: bytes of an item, for progress.
    :param concurrency: at most 25.
    :returns: the results, in the order of the items.
    :raises Exception: the first one that ``send`` raised; what has not begun is not sent.
    """
    waiting: Sequence[T] = list(items)
    total, done = sum(map(size, waiting)), 0
    report.advance(0, total)
    guarded = _stopping(send)
    with ThreadPoolExecutor(max_workers=min(concurrency, _MOST)) as pool:
        futures = {pool.submit(guarded, item): item for item in waiting}
        try:
            for future in as_completed(futures):
                if not isinstance(future.exception(), CancelledError):
                    future.result()
                done += size(futures[future])
                report.advance(done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def _stopping(send: Callable[[T], R]) -> Callable[[T], R]:
    """``send`` until it fails once; what comes after is cancelled before it begins."""
    stopped = threading.Event()

    def guarded(item: T) -> R:
        if stopped.is_set():
            raise CancelledError
        try:
            return send(item)
        except BaseException:
            stopped.set()
            raise

    return guarded
