"""Standard streams that are closed, full, or no longer read.

Progress and messages go to standard error. A command that cannot write them continues, because a
deploy must not stop halfway for a line that nobody reads. The result goes to standard output. A
command that cannot write its result fails.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

__all__ = ("OutputError", "open_standard_streams")


class OutputError(Exception):
    """Standard output cannot be written.

    This is no ``OSError``: click ends a command without an error at each ``BrokenPipeError``, even
    if a connection to a platform raised it.

    :param error: the system's error.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.reason = error.strerror or str(error)
        self.is_closed = error.errno == errno.EPIPE


class _File(io.FileIO):
    """The file of a standard stream, which another program may have made non-blocking."""

    def write(self, content: Buffer) -> int:
        """Write content, and wait while the file takes none.

        :param content: the bytes.
        :returns: the number of written bytes.
        """
        while (size := super().write(content)) is None:
            select.select((), (self.fileno(),), ())
        return size


class _ResultFile(_File):
    """Standard output: the first failure raises an error, and later content is dropped."""

    _has_failed = False

    def write(self, content: Buffer) -> int:
        size = memoryview(content).nbytes
        if self._has_failed or not size:  # click writes nothing to find out whether it may write
            return size
        try:
            return super().write(content)
        except OSError as error:
            self._has_failed = True
            raise OutputError(error) from None


class _ProgressFile(_File):
    """Standard error: content that cannot be written is dropped."""

    def write(self, content: Buffer) -> int:
        try:
            return super().write(content)
        except OSError:
            return memoryview(content).nbytes


def open_standard_streams() -> None:
    """Open the null device in place of each closed standard stream, and handle failing writes."""
    _open_closed_streams()
    _replace_stream("stdout", _ResultFile)
    _replace_stream("stderr", _ProgressFile)


def _open_closed_streams() -> None:
    """Open the null device in place of each standard stream that the parent process has closed.

    Python sets a closed stream to ``None``. The next file or socket would get the number of the
    stream, and child processes would write to that file or socket.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest free number is that of the stream
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def _replace_stream(name: str, kind: type[_File]) -> None:
    """Replace a stream with one that writes through ``kind``, and has the same properties."""
    stream = getattr(sys, name)
    # A program that calls ``main`` may have its own streams, which stay as they are.
    if stream is not getattr(sys, f"__{name}__") or not isinstance(stream, io.TextIOWrapper):
        return
    # With PYTHONUNBUFFERED, the stream has no buffer.
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO:  # a console of Windows
        stream.reconfigure(errors="backslashreplace")
        return
    file = kind(stream.fileno(), "w", closefd=False)
    replacement = io.TextIOWrapper(
        file if raw is stream.buffer else io.BufferedWriter(file),
        encoding=stream.encoding,
        errors="backslashreplace",  # an encoding may have few characters, as on Windows
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    setattr(sys, name, replacement)
