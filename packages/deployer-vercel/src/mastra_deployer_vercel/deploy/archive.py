"""The archive a deployment is sent as: one gzip'd tar, cut where its content changes.

Vercel takes ``.vercel/source.tgz.part1``, ``part2``, ... and joins them by bytes. Large
dependencies and large files have parts of their own, the small ones share; the app's code comes
last. Deflate is flushed at each cut, so a changed line leaves all other parts as they were, and
they are not sent again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mastra_core.pipeline import Bundle
from mastra_deployer_vercel.bundle.build_output import FUNCTION, OUTPUT

__all__ = ("ArchivePart", "pack_archive")

_PART_SIZE = 100 * 1024 * 1024  # bytes; Vercel's own client cuts there
_LARGE_SIZE = 100_000  # bytes unpacked from which something gets a part of its own
_MAX_LARGE_PARTS = 60  # such parts at most: each is a request when it is new
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # gzip without a time, a name or a system
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArchivePart:
    """A piece of the archive.

    :param sha: SHA-1, in hex: the name Vercel knows it by.
    """

    name: str
    file: Path
    sha: str
    size: int

    def to_file_entry(self) -> dict[str, str | int]:
        """As ``files[]`` of a new deployment lists it."""
        return {"file": self.name, "sha": self.sha, "size": self.size, "mode": 0o666}


def pack_archive(bundle: Bundle, directory: Path) -> list[ArchivePart]:
    """Write the archive of ``.vercel/output`` in parts into the empty ``directory``.

    The same bundle gives the same bytes on every machine with the same zlib.
    """
    paths = sorted(
        path.relative_to(bundle.directory).as_posix()
        for path in (bundle.directory / OUTPUT).rglob("*")
        if path.is_file()
    )
    writer = _ArchiveWriter(directory)
    for group in _group_paths(bundle.directory, paths):
        for name in group:
            for content in _iter_tar_member(bundle.directory / name, name):
                writer.write(content)
        writer.end_part()
    return writer.finish()


def _group_paths(root: Path, paths: Sequence[str]) -> list[list[str]]:
    """What belongs into one part: a large distribution or file; the small ones together."""
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


def _iter_tar_member(file: Path, name: str) -> Iterator[bytes]:
    """One file as a tar has it: no owner, no time."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = file.stat().st_size, 0o644
    yield info.tobuf(tarfile.PAX_FORMAT)
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            yield chunk
    yield b"\0" * (-info.size % tarfile.BLOCKSIZE)


class _ArchiveWriter:
    """One gzip stream over several files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc, self._length = 0, 0
        self._buffer = io.BytesIO(_HEADER)
        self._buffer.seek(0, io.SEEK_END)
        self._parts: list[ArchivePart] = []

    def write(self, content: bytes) -> None:
        self._crc = zlib.crc32(content, self._crc)
        self._length += len(content)
        self._buffer_bytes(self._compressor.compress(content))

    def end_part(self) -> None:
        """End the present part; what comes does not lean on what was."""
        self._buffer_bytes(self._compressor.flush(zlib.Z_FULL_FLUSH))
        if self._buffer.tell():
            self._write_part()

    def finish(self) -> list[ArchivePart]:
        """The last part gets the end of the tar and of the gzip."""
        last = self._parts.pop()
        self._buffer = io.BytesIO(last.file.read_bytes())
        self._buffer.seek(0, io.SEEK_END)
        self.write(b"\0" * 2 * tarfile.BLOCKSIZE)
        self._buffer.write(self._compressor.flush())
        self._buffer.write(self._crc.to_bytes(4, "little"))
        self._buffer.write((self._length & 0xFFFFFFFF).to_bytes(4, "little"))
        self._write_part()
        return self._parts

    def _buffer_bytes(self, compressed: bytes) -> None:
        self._buffer.write(compressed)
        if self._buffer.tell() >= _PART_SIZE - _CHUNK:
            self._write_part()

    def _write_part(self) -> None:
        content = self._buffer.getvalue()
        name = f".vercel/source.tgz.part{len(self._parts) + 1}"
        file = self._directory / f"part{len(self._parts) + 1}"
        file.write_bytes(content)
        sha = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self._parts.append(ArchivePart(name=name, file=file, sha=sha, size=len(content)))
        self._buffer = io.BytesIO()
