"""Keep the latest frames of a run's stream for any number of readers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mastra_core.limits.memory_limit import fit_to_memory
from mastra_core.limits.shares import Shares
from mastra_core.request_scope import create_signal, is_request_scoped

if TYPE_CHECKING:
    from mastra_core.request_scope.signal import Signal

__all__ = ("FrameLog", "FrameReader", "LogBudget")

SLOW_READER_TIMEOUT = 30.0  # seconds that a run waits for its slowest reader
FEW_READERS = 100  # that get each frame at once
SECONDS_PER_READER = 0.0002  # between two times at which all of many readers are woken
MAX_FRAMES = 10_000
MAX_CHUNK = 64 * 1024  # bytes of frames that a reader gets at a time, unless one frame is larger
MAX_PIECE = 128 * 1024  # bytes of a large frame that a reader gets at a time
MAX_BYTES = 2 * 1024 * 1024  # of the log of one run
MIN_BYTES = 64 * 1024  # of the log of one run, while many runs are running
MAX_TOTAL_BYTES = fit_to_memory(128 * 1024 * 1024)  # of the logs of all running runs
# Of all frames that are larger than the log of a run may be.
MAX_LARGE_BYTES = fit_to_memory(256 * 1024 * 1024)


class LogBudget:
    """The memory for logs: active runs share it equally, and callers share that for large frames.

    A large frame is larger than the log of one run may be.
    """

    def __init__(self) -> None:
        self.running = 0
        self._large = Shares(MAX_LARGE_BYTES)
        self._waiting: dict[Signal, None] = {}  # in the order in which they began to wait

    @property
    def max_bytes(self) -> int:
        """The maximum size of the log of one run."""
        return min(MAX_BYTES, max(MIN_BYTES, MAX_TOTAL_BYTES // max(self.running, 1)))

    def try_hold(self, caller: str, size: int) -> bool:
        """Take memory for a large frame, unless too much is taken; return whether it was taken.

        A frame that is larger than the memory for all large frames must be the only one.

        :param caller: the caller of the run.
        :param size: the bytes of the frame.
        """
        if self._large.free == self._large.capacity:
            self._large.hold(caller, size)
            return True
        return self._large.try_acquire(caller, size)

    async def hold(self, caller: str, size: int) -> None:
        """Wait until there is memory for a large frame, and take it.

        :param caller: the caller of the run.
        :param size: the bytes of the frame.
        """
        signal = create_signal()
        self._waiting[signal] = None
        try:
            while not self.try_hold(caller, size):
                await signal.wait()
                signal.clear()
        finally:
            del self._waiting[signal]

    def release(self, caller: str, size: int) -> None:
        """Release the memory of a large frame.

        :param caller: the caller of the run.
        :param size: the bytes of the frame.
        """
        self._large.release(caller, size)
        for signal in self._waiting:
            signal.set()


class FrameReader:
    """The position of one reader in the frames of a run.

    :param position: the number of the next frame.

    ``offset`` is the number of bytes of this frame that the reader has got, if the frame is large.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        self.offset = 0
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
        self._large: deque[tuple[int, str, int]] = deque()  # number, caller and size of a frame
        self._caller, self._has_ended = "", False
        self._readers: set[FrameReader] = set()
        self._wakeup: asyncio.TimerHandle | None = None
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
        self._wake_soon()
        # The first comparison is for speed: a small log fits into any budget.
        return (self.size > MIN_BYTES or len(self._frames) > MAX_FRAMES) and self._is_full

    def try_make_room_for(self, size: int) -> bool:
        """Prepare for a frame, without waiting; return whether it may be added now.

        :param size: the bytes of the frame.
        """
        if size <= self._budget.max_bytes:
            return True
        if any(reader.position < self.position for reader in self._readers):
            return False
        while self._frames:
            self._remove_oldest_frame()
        return self._budget.try_hold(self._caller, size) and self._add_large(size)

    async def make_room_for(self, size: int) -> None:
        """Wait until the readers have got all frames, and there is memory for a large frame.

        A run that waits for memory keeps no large frame, so runs never wait for each other.

        :param size: the bytes of the frame.
        """
        while self._frames:
            await self._drop_oldest_frame()
        await self._budget.hold(self._caller, size)
        self._add_large(size)

    def _add_large(self, size: int) -> bool:
        self._large.append((self.position, self._caller, size))
        return True

    def wake_readers(self) -> None:
        """Wake all readers, because no more frames follow, or because the server drains."""
        if self._wakeup is not None:
            self._wakeup.cancel()
            self._wakeup = None
        for reader in self._readers:
            reader.wakeup.set()

    def _wake_soon(self) -> None:
        """Wake the readers; if they are many, wait so that they get several frames at a time.

        Otherwise the sends to all readers would take so long that they slow down the run.
        """
        if len(self._readers) <= FEW_READERS or is_request_scoped():  # there, no timer fires
            self.wake_readers()
        elif self._wakeup is None:
            delay = SECONDS_PER_READER * len(self._readers)
            self._wakeup = asyncio.get_running_loop().call_later(delay, self.wake_readers)

    def begin(self, caller: str) -> None:
        """Say that the run writes frames from now on.

        :param caller: the caller whose share of the memory for large frames the run uses.
        """
        self._caller, self._has_ended = caller, False

    def end(self) -> None:
        """Say that the run writes no more frames; wake all readers."""
        self._has_ended = True
        self.wake_readers()
        self._release_ended()

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
            self._release_ended()

    def read(self, reader: FrameReader) -> bytes:
        """Return the next frames for a reader, and the id for a reconnection.

        The frames are joined to a copy, which stays in memory until the client has received it.
        Many readers of a long log can be slow, so each gets a limited part of the log at a time. A
        large frame comes in pieces, and stays in the log until the reader has got all of them.

        The id for a reconnection is in a block without data, which Mastra's client ignores. A
        comment replaces frames that are no longer in the log.

        :param reader: the reader.
        :returns: the frames, joined.
        """
        parts = list[bytes]()
        if reader.position < self._first:
            parts.append(f": frames before {self._first} are no longer kept\n\n".encode())
            reader.position, reader.offset = self._first, 0
        if piece := self._read_piece(reader):
            return b"".join((*parts, piece))
        parts += self._read_frames(reader)
        self._reader_progress.set()
        return b"".join((*parts, f"id: {self._run_id}/{reader.position}\n\n".encode()))

    def _read_frames(self, reader: FrameReader) -> list[bytes]:
        """Return the next frames; the first of them may be the last piece of a large frame."""
        frames, size = list[bytes](), 0
        # By index, because most readers are near the end of a long log.
        for index in range(reader.position - self._first, len(self._frames)):
            frame = self._frames[index][reader.offset :]
            size += len(frame)
            if frames and size > MAX_CHUNK:
                break
            frames.append(frame)
            reader.offset = 0
        reader.position += len(frames)
        return frames

    def _read_piece(self, reader: FrameReader) -> bytes:
        """Return the next piece of a large frame; empty for its last piece and for other frames."""
        index = reader.position - self._first
        frame = self._frames[index] if 0 <= index < len(self._frames) else b""
        piece = frame[reader.offset : reader.offset + MAX_PIECE] if len(frame) > MAX_PIECE else b""
        if reader.offset + len(piece) < len(frame):
            reader.offset += len(piece)
            return piece
        return b""

    @property
    def _is_full(self) -> bool:
        if len(self._frames) > MAX_FRAMES:
            return True
        return self.size > self._budget.max_bytes and len(self._frames) > 1

    async def _drop_oldest_frame(self) -> None:
        """Drop the oldest frame when every reader has read it or has timed out.

        A reader times out if it gets nothing for a while; a slow client may need longer for a large
        frame.
        """
        while slow := self._find_slow_readers():
            before = {reader: reader.offset for reader in slow}
            try:
                async with asyncio.timeout(SLOW_READER_TIMEOUT):
                    while self._find_slow_readers():
                        self._reader_progress.clear()
                        await self._reader_progress.wait()
            except TimeoutError:
                slow = self._find_slow_readers()
                self._disconnect({each for each in slow if before.get(each) == each.offset})
        self._remove_oldest_frame()

    def _remove_oldest_frame(self) -> None:
        self.size -= len(self._frames.popleft())
        self._first += 1
        while self._large and self._large[0][0] < self._first:
            self._budget.release(*self._large.popleft()[1:])

    def _release_ended(self) -> None:
        """Release the memory of an ended run without readers; ``LiveRuns`` limits such runs."""
        while self._has_ended and not self._readers and self._large:
            self._budget.release(*self._large.popleft()[1:])

    def _find_slow_readers(self) -> set[FrameReader]:
        """Return the readers that have not read the oldest frame."""
        return {reader for reader in self._readers if reader.position <= self._first}

    def _disconnect(self, readers: set[FrameReader]) -> None:
        self._readers -= readers
        for reader in readers:
            reader.disconnected = True
            reader.wakeup.set()
