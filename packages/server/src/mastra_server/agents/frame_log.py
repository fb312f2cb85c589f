"""Keep the latest frames of a run's stream for any number of readers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Iterator

from mastra_core.limits.memory_limit import fit_to_memory
from mastra_core.request_scope import create_signal

__all__ = ("FrameLog", "FrameReader", "LogBudget")

SLOW_READER_TIMEOUT = 30.0  # seconds that a run waits for its slowest reader
MAX_FRAMES = 10_000
MAX_CHUNK = 64 * 1024  # bytes of frames that a reader gets at a time, unless one frame is larger
MAX_BYTES = 2 * 1024 * 1024  # of the log of one run
MIN_BYTES = 64 * 1024  # of the log of one run, while many runs are running
MAX_TOTAL_BYTES = fit_to_memory(128 * 1024 * 1024)  # of the logs of all running runs


class LogBudget:
    """The memory for logs, which all active runs share equally."""

    def __init__(self) -> None:
        self.running = 0

    @property
    def max_bytes(self) -> int:
        """The maximum size of the log of one run."""
        return min(MAX_BYTES, max(MIN_BYTES, MAX_TOTAL_BYTES // max(self.running, 1)))


class FrameReader:
    """The position of one reader in the frames of a run.

    :param position: the number of the next frame.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        self.disconnected = False
        self.wakeup = create_signal()

    async def wait(self, seconds: float) -> bool:
        """Wait until the reader is woken; return ``False`` after a timeout.

        :param seconds: the seconds to wait.
        """
        try:
            async with asyncio.timeout(seconds):  # wait_for loses cancellations before 3.12
                await self.wakeup.wait()
        except TimeoutError:
            return False
        self.wakeup.clear()
        return True


class FrameLog:
    """The latest frames of a run, and their readers.

    The log has a maximum size. When the log is full, the run waits up to 30 seconds for readers
    that have not read the oldest frame. After 30 seconds, these readers are disconnected, and the
    frame is dropped. A run that nobody reads never waits.

    :param run_id: the id of the run, which readers send to reconnect.
    :param budget: the memory that the logs of all runs share.
    """

    def __init__(self, run_id: str, budget: LogBudget) -> None:
        self.size = 0
        self._run_id = run_id
        self._budget = budget
        self._frames: deque[bytes] = deque()
        self._first = 0  # the number of the oldest frame in the log
        self._readers: set[FrameReader] = set()
        self._reader_progress = create_signal()

    @property
    def position(self) -> int:
        """The number of frames that were written so far."""
        return self._first + len(self._frames)

    @property
    def has_readers(self) -> bool:
        """Whether anybody reads the frames."""
        return bool(self._readers)

    def write(self, frames: Iterable[bytes]) -> bool:
        """Add frames, and wake the readers.

        :param frames: the frames.
        :returns: whether the log exceeds its maximum size, so that the caller must call
            ``make_room``.
        """
        for frame in frames:
            self._frames.append(frame)
            self.size += len(frame)
        self.wake_readers()
        # The first comparison is for speed: a small log fits into any budget.
        return (self.size > MIN_BYTES or len(self._frames) > MAX_FRAMES) and self._is_full

    def wake_readers(self) -> None:
        """Wake all readers, because no more frames follow, or because the server drains."""
        for reader in self._readers:
            reader.wakeup.set()

    async def make_room(self) -> None:
        """Drop the oldest frames until the log is within its maximum size."""
        while self._is_full:
            await self._drop_oldest_frame()

    @contextlib.contextmanager
    def open_reader(self, position: int) -> Iterator[FrameReader]:
        """Yield a new reader of the log; the log forgets the reader when the block ends.

        :param position: the number of the first frame to read.
        """
        reader = FrameReader(position)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            self._reader_progress.set()

    def read(self, reader: FrameReader) -> bytes:
        """Return the next frames for a reader, and the id for a reconnection.

        The frames are joined to a copy, which stays in memory until the client has received it.
        Many readers of a long log can be slow, so each gets a limited part of the log at a time.

        The id for a reconnection is in a block without data, which Mastra's client ignores. A
        comment replaces frames that are no longer in the log.

        :param reader: the reader.
        :returns: the frames, joined.
        """
        lost = reader.position < self._first
        frames, size = list[bytes](), 0
        # By index, because most readers are near the end of a long log.
        for index in range(max(reader.position - self._first, 0), len(self._frames)):
            frame = self._frames[index]
            size += len(frame)
            if frames and size > MAX_CHUNK:
                break
            frames.append(frame)
        reader.position = max(reader.position, self._first) + len(frames)
        if lost:
            frames.insert(0, f": frames before {self._first} are no longer kept\n\n".encode())
        self._reader_progress.set()
        return b"".join((*frames, f"id: {self._run_id}/{reader.position}\n\n".encode()))

    @property
    def _is_full(self) -> bool:
        if len(self._frames) > MAX_FRAMES:
            return True
        return self.size > self._budget.max_bytes and len(self._frames) > 1

    async def _drop_oldest_frame(self) -> None:
        """Drop the oldest frame when every reader has read it or has timed out."""
        if self._find_slow_readers():
            try:
                async with asyncio.timeout(SLOW_READER_TIMEOUT):
                    while self._find_slow_readers():
                        self._reader_progress.clear()
                        await self._reader_progress.wait()
            except TimeoutError:
                self._disconnect(self._find_slow_readers())
        self.size -= len(self._frames.popleft())
        self._first += 1

    def _find_slow_readers(self) -> set[FrameReader]:
        """Return the readers that have not read the oldest frame."""
        return {reader for reader in self._readers if reader.position <= self._first}

    def _disconnect(self, readers: set[FrameReader]) -> None:
        self._readers -= readers
        for reader in readers:
            reader.disconnected = True
            reader.wakeup.set()
