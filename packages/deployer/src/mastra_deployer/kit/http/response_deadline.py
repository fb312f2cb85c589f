"""Limit the total time of a response, even if bytes still arrive.

The timeout of httpx limits only each single read, so a server that sends a byte now and then could
send forever. This limit applies to all reads of a response together, from its headers to its end.
The time for sending the request does not count.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import httpx

__all__ = ("DeadlineExceeded", "enforce_deadlines", "limit_time")


class DeadlineExceeded(Exception):
    """The response was not complete at its deadline."""


class _Deadline(threading.local):
    """The deadline of this thread's current response, in monotonic seconds."""

    end: float | None = None


_deadline = _Deadline()


@contextlib.contextmanager
def limit_time(seconds: float | None) -> Iterator[None]:
    """Within the block, limit the total time of this thread's reads.

    :param seconds: the limit; ``None`` for no limit.
    :raises DeadlineExceeded: from a read, when the time is over.
    """
    previous = _deadline.end
    _deadline.end = None if seconds is None else time.monotonic() + seconds
    try:
        yield
    finally:
        _deadline.end = previous


def enforce_deadlines(transport: httpx.HTTPTransport) -> None:
    """Make each read of a transport stop at the deadline that ``limit_time`` sets.

    :param transport: a transport that has not opened a connection yet.
    """
    pool: Any = transport._pool  # noqa: SLF001  # httpx has no parameter for it
    pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001  # as above


class _Backend(httpcore.NetworkBackend):
    """Opens connections whose reads end at a deadline."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A connection whose reads end at a deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        end = _deadline.end
        if end is None:
            return self._inner.read(max_bytes, timeout)
        remaining = end - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceeded
        if timeout is not None and timeout <= remaining:
            return self._inner.read(max_bytes, timeout)
        try:
            return self._inner.read(max_bytes, remaining)
        except httpcore.ReadTimeout:
            raise DeadlineExceeded from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        start = time.monotonic()
        self._inner.write(buffer, timeout)
        if _deadline.end is not None:
            _deadline.end += time.monotonic() - start

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *arguments: Any, **options: Any) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(*arguments, **options))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
