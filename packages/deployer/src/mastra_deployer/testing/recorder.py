"""Record all output of a deployer, and find secrets in output and files."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import logging
import tarfile
import traceback
import zipfile
import zlib
from collections.abc import Iterable, Iterator

__all__ = ("Recorder", "find_occurrences")

_MIN_ENCODED = 6  # bytes; a shorter text in base64 also occurs by chance


class Recorder(logging.Handler):
    """Records all lines of a report, of the log and of a terminal in ``lines``."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def step(self, text: str) -> None:
        """Record the start of a step.

        :param text: a description of the step.
        """
        self.lines.append(str(text))

    def advance(self, current: int, total: int, unit: str = "B") -> None:
        """Record progress.

        :param current: the amount that is done.
        :param total: the amount at the end of the step.
        :param unit: the unit of ``current`` and ``total``.
        """
        self.lines.append(f"{current}/{total} {unit}")

    def note(self, text: str, hint: str = "") -> None:
        """Record a note.

        :param text: the note.
        :param hint: the cure.
        """
        self.lines.append(f"{text}\n{hint}")

    def warn(self, text: str, hint: str = "") -> None:
        """Record a warning.

        :param text: the warning.
        :param hint: the cure.
        """
        self.note(text, hint)

    def emit(self, record: logging.LogRecord) -> None:
        """Record a log record with its traceback.

        :param record: a record of any logger.
        """
        self.lines.append(self.format(record))

    @contextlib.contextmanager
    def capture(self) -> Iterator[None]:
        """Within the block, record printed text, log records and tracebacks."""
        output, root = io.StringIO(), logging.getLogger()
        level = root.level
        root.addHandler(self)
        root.setLevel(logging.INFO)
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                yield
        except Exception as error:
            self.lines.extend(traceback.format_exception(error))
            raise
        finally:
            root.setLevel(level)
            root.removeHandler(self)
            self.lines.append(output.getvalue())


def find_occurrences(content: bytes, words: Iterable[str]) -> list[str]:
    """Return the words that occur in a file, as plain text, in base64 or in an archive.

    :param content: the content of the file.
    :param words: the texts to find.
    """
    parts = [content, *_iter_unpacked(content)]
    return [
        word for word in words if any(form in part for form in _iter_forms(word) for part in parts)
    ]


def _iter_forms(word: str) -> Iterator[bytes]:
    """Yield a word, and the three forms that it can have within a longer base64 text."""
    content = word.encode()
    yield content
    for start in range(3):
        length = (len(content) - start) // 3 * 3  # base64 encodes three bytes at a time
        if length >= _MIN_ENCODED:
            yield base64.b64encode(content[start : start + length])


def _iter_unpacked(content: bytes) -> Iterator[bytes]:
    if content[:2] == b"\x1f\x8b":
        with contextlib.suppress(OSError, EOFError, zlib.error):
            content = gzip.decompress(content)
            yield content
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as archive:
        yield from map(archive.read, archive.namelist())
    with contextlib.suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(content)) as tar:
        yield from (item.read() for entry in tar if (item := tar.extractfile(entry)))
