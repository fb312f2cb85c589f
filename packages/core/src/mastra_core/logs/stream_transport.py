"""Write log lines to a stream: standard error, standard output, or any text stream."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import ClassVar, TextIO

from mastra_core.logs.transport import LogTransport

__all__ = ("StreamTransport",)


class StreamTransport(LogTransport):
    """Writes lines to a text stream.

    Lines for standard output and standard error are written directly to the file descriptor. A
    thread that waits for the reader of a pipe must not hold the stream's lock, because the
    interpreter needs this lock when it exits.

    :param stream: the stream.
    :param formatter: formats the lines.
    """

    may_log: ClassVar[bool] = False

    def __init__(self, stream: TextIO, formatter: logging.Formatter) -> None:
        super().__init__(formatter)
        self._stream = stream
        self._may_end_within_line = False  # after a failed write

    def write(self, lines: Sequence[str]) -> None:
        """Write lines.

        :param lines: the lines.
        """
        text = "\n".join(lines) + "\n"
        descriptor = self._find_descriptor()
        if descriptor is None:
            self._stream.write(text)
            self._stream.flush()
        else:
            self._write_to(descriptor, text.encode(errors="backslashreplace"))

    def _write_to(self, descriptor: int, data: bytes) -> None:
        try:
            _write_all(descriptor, b"\n" + data if self._may_end_within_line else data)
        except BaseException:  # a signal handler may raise anything
            import select

            # A pipe takes shorter data either as a whole or not at all; Windows has no such limit.
            self._may_end_within_line |= len(data) > getattr(select, "PIPE_BUF", 0)
            raise
        self._may_end_within_line = False

    def _find_descriptor(self) -> int | None:
        has_descriptors = sys.platform not in ("emscripten", "win32")
        if not has_descriptors or self._stream not in (sys.__stderr__, sys.__stdout__):
            return None
        try:
            self._stream.flush()
            return self._stream.fileno()
        except (OSError, ValueError):
            return None


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # another process has made the pipe non-blocking
            import select

            select.select([], [descriptor], [], 1)
