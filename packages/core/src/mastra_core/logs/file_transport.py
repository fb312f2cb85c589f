"""Write log lines to a file, and begin a new file when it is large."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.number_checks import check_count
from mastra_core.logs.transport import LinesLost, LogTransport

__all__ = ("FileTransport",)

_TAIL_BYTES = 4 * 1024 * 1024  # that iter_lines reads at the end of the files


class FileTransport(LogTransport):
    """Appends JSON lines to a file, which several processes may share.

    When the file is full, it is renamed to ``app.log.1``, and a new file begins.

    :param path: path of the file; missing directories are created.
    :param max_bytes: the size at which a new file begins.
    :param backups: number of full, renamed files to keep.
    :param level: records below this level of ``logging`` are not written.
    :raises ConfigError: for a size or a number below 1, or an argument of the wrong type.
    """

    may_log: ClassVar[bool] = False
    can_list: ClassVar[bool] = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 10 * 1024 * 1024,
        backups: int = 5,
        level: int = 0,
    ) -> None:
        super().__init__()
        check_types(locals(), FileTransport.__init__.__annotations__)
        check_count("max_bytes", max_bytes, least=1)
        check_count("backups", backups, least=1)
        self.path = Path(path).absolute()  # the working directory may change
        self.level = level
        self._max_bytes = max_bytes
        self._backups = backups
        self._file = -1
        self._ends_within_line = False  # after a failed write

    def write(self, lines: Sequence[str]) -> None:
        """Append lines to the file.

        :param lines: the lines.
        :raises LinesLost: when the file cannot be written, for example because the disk is full.
        """
        data = "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")
        try:
            self._prepare(len(data))
            self._append(data)
        except OSError as error:
            self._close_file()
            reason = f"cannot write {str(self.path)!r}: {error.strerror or error}"
            lost = min(getattr(error, "lost_lines", len(lines)), len(lines))
            raise LinesLost(lost, reason) from None

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        self._close_file()

    def iter_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the last lines of the file and of the previous file."""
        budget, parts = _TAIL_BYTES, []
        for path in (self.path, self._get_backup(1)):
            data = _read_tail(path, budget)
            budget -= len(data)
            parts.append(data)
        for line in b"".join(reversed(parts)).splitlines():
            with contextlib.suppress(msgspec.DecodeError):  # the first line may be cut
                yield msgspec.json.decode(line, type=dict[str, Any])

    def _prepare(self, size: int) -> None:
        """Open the file if it is closed or was moved away; begin a new file if it is full."""
        if self._file < 0 or not self._is_current():
            self._open_file()
        present = os.fstat(self._file).st_size
        if present and present + size > self._max_bytes:
            self._rotate(size)

    def _append(self, data: bytes) -> None:
        rest = memoryview(b"\n" + data if self._ends_within_line else data)
        while rest:
            try:
                written = os.write(self._file, rest)
            except OSError as error:
                error.lost_lines = bytes(rest).count(b"\n")  # type: ignore[attr-defined]  # read by write
                raise
            self._ends_within_line = rest[written - 1] != ord("\n")
            rest = rest[written:]

    def _open_file(self) -> None:
        self._close_file()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._file = os.open(self.path, flags, 0o640)

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _is_current(self) -> bool:
        """Return whether the open file is still the one at the path."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _rotate(self, size: int) -> None:
        """Rename the file, unless another process has done so; keep the file if that fails."""
        with _lock_file(self._file):
            if self._is_current() and os.fstat(self._file).st_size + size > self._max_bytes:
                if os.name == "nt":  # Windows does not rename open files
                    self._close_file()
                with contextlib.suppress(OSError):
                    self._rename_files()
                    self._ends_within_line = False
        self._open_file()

    def _rename_files(self) -> None:
        """Move each backup by one number, and make the file the first backup."""
        for number in range(self._backups - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._get_backup(number).replace(self._get_backup(number + 1))
        self.path.replace(self._get_backup(1))

    def _get_backup(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


@contextlib.contextmanager
def _lock_file(descriptor: int) -> Iterator[None]:
    """Hold a lock of a file, so that one process at a time renames it.

    On Windows and on file systems without locks, two processes may rename the file at the same
    moment, which moves its backups by two numbers but loses no line of the current file.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with contextlib.suppress(OSError):  # such as ENOLCK
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _read_tail(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - size, 0))
            return file.read(size) if size > 0 else b""
    except OSError:
        return b""
