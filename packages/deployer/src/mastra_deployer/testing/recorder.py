"""Everything a person gets to see, and a look for what must not be in it."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import logging
import tarfile
import traceback
import zipfile
from collections.abc import Iterable, Iterator

__all__ = ("Shown", "holds")


class Shown(logging.Handler):
    """A report, a log and a terminal that remember every word.

    :param lines: all that was told, in order.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def step(self, text: str) -> None:
        """Remember."""
        self.lines.append(str(text))

    def advance(self, done: int, total: int, unit: str = "B") -> None:
        """Remember."""
        self.lines.append(f"{done}/{total} {unit}")

    def note(self, text: str, hint: str = "") -> None:
        """Remember."""
        self.lines.append(f"{text}\n{hint}")

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a log record, with its traceback."""
        self.lines.append(self.format(record))

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear what is printed, logged and raised meanwhile; errors go on."""
        printed, root = io.StringIO(), logging.getLogger()
        level = root.level
        root.addHandler(self)
        root.setLevel(logging.INFO)
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                yield
        except Exception as error:
            self.lines.extend(traceback.format_exception(error))
            raise
        finally:
            root.setLevel(level)
            root.removeHandler(self)
            self.lines.append(printed.getvalue())


def holds(content: bytes, words: Iterable[str]) -> list[str]:
    """Which of the words are in it: as they are, in base64, or in an archive."""
    readable = [content, *_unpacked(content)]
    return [
        word for word in words if any(form in part for form in _forms(word) for part in readable)
    ]


def _forms(word: str) -> Iterator[bytes]:
    """The word, and its base64 wherever in a longer text it stands."""
    yield word.encode()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + word.encode())
        yield coded[4 if shift else 0 : -4]


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content[:2] == b"\x1f\x8b":
        with contextlib.suppress(OSError, EOFError):
            content = gzip.decompress(content)
            yield content
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as archive:
        yield from map(archive.read, archive.namelist())
    with contextlib.suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(content)) as tar:
        yield from (item.read() for entry in tar if (item := tar.extractfile(entry)))
