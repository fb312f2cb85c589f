"""Pack a deployment as a compressed tar archive in parts.

Vercel accepts ``.vercel/source.tgz.part1``, ``part2``, ... and joins their bytes. Each large
dependency and each large file is a separate part. Small files share a part, and the app's code is
last. The compressor is flushed at the end of each part. If one line of code changes, only the last
part changes, and the other parts are not uploaded again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

from mastra_core.pipeline import Bundle
from mastra_deployer.kit import TAR_END, GzipWriter, iter_entries, iter_tar_member
from mastra_deployer_vercel.bundle.build_output import FUNCTION, OUTPUT

__all__ = ("ArchivePart", "pack_archive")

_PART_SIZE = 100 * 1024 * 1024  # bytes; the part size of Vercel's own client
_LARGE_SIZE = 100_000  # unpacked bytes from which on a distribution or file has a part of its own
_MAX_LARGE_PARTS = 60  # each part that Vercel does not have is a request
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArchivePart:
    """A part of the archive.

    :param name: path under which Vercel stores the part.
    :param file: file with the content of the part.
    :param sha1: SHA-1 of the content, in hexadecimal digits, by which Vercel identifies it.
    :param size: size in bytes.
    """

    name: str
    file: Path
    sha1: str
    size: int

    def to_file_entry(self) -> dict[str, str | int]:
        """Return the entry of ``files[]`` in the request for a new deployment."""
        return {"file": self.name, "sha": self.sha1, "size": self.size, "mode": 0o666}


def pack_archive(bundle: Bundle, directory: Path) -> list[ArchivePart]:
    """Pack ``.vercel/output`` of a bundle into parts.

    The same bundle gives the same bytes on every machine with the same zlib.

    :param bundle: the bundle.
    :param directory: an empty directory for the parts.
    :returns: the parts, in order.
    """
    entries = {entry.path: entry for entry in iter_entries(bundle.directory / OUTPUT, OUTPUT)}
    writer = _ArchiveWriter(directory)
    for group in _group_paths(bundle.directory, list(entries)):
        for name in group:
            for content in iter_tar_member(entries[name]):
                writer.write(content)
        writer.end_part()
    return writer.finish()


def _group_paths(root: Path, paths: Sequence[str]) -> list[list[str]]:
    """Group paths by part: one part per large distribution or file, and one for the small ones."""
    vendor = f"{FUNCTION}/vendor/"
    units: dict[str, list[str]] = {}
    for path in paths:
        inside = path.removeprefix(vendor)
        units.setdefault(vendor + inside.partition("/")[0] if inside != path else path, []).append(
            path
        )
    large: list[list[str]] = []
    small: dict[bool, list[str]] = {True: [], False: []}
    for name, members in units.items():
        size = sum((root / path).stat().st_size for path in members)
        if size >= _LARGE_SIZE and len(large) < _MAX_LARGE_PARTS:
            large.append(members)
        else:
            small[name.startswith(vendor)] += members
    return [group for group in (*large, small[True], small[False]) if group]


class _ArchiveWriter:
    """Writes one gzip stream into several files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._buffer = io.BytesIO()
        self._parts: list[ArchivePart] = []
        self._stream = GzipWriter(self._buffer_bytes)

    def write(self, content: bytes) -> None:
        self._stream.write(content)

    def end_part(self) -> None:
        """End the current part; later content is compressed without reference to it."""
        self._stream.flush()
        if self._buffer.tell():
            self._write_part()

    def finish(self) -> list[ArchivePart]:
        """End the tar and the gzip stream in the last part, and return all parts."""
        last = self._parts.pop()
        self._buffer = io.BytesIO(last.file.read_bytes())
        self._buffer.seek(0, io.SEEK_END)
        self._stream.write(TAR_END)
        self._stream.close()
        self._write_part()
        return self._parts

    def _buffer_bytes(self, data: bytes) -> None:
        self._buffer.write(data)
        if self._buffer.tell() >= _PART_SIZE - _CHUNK:
            self._write_part()

    def _write_part(self) -> None:
        content = self._buffer.getvalue()
        name = f".vercel/source.tgz.part{len(self._parts) + 1}"
        file = self._directory / f"part{len(self._parts) + 1}"
        file.write_bytes(content)
        sha = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self._parts.append(ArchivePart(name=name, file=file, sha1=sha, size=len(content)))
        self._buffer = io.BytesIO()
