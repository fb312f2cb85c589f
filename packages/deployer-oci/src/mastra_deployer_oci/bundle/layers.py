"""Layers: the same files give the same bytes, on any machine and at any time."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

__all__ = ("Entry", "Layer", "iter_tree", "write_layer")

_GZIP = 31  # zlib's window bits for a gzip stream, whose header zlib writes without a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, a link or a directory of a layer.

    :param path: in the image, without the leading slash.
    :param source: the file whose content it has.
    :param content: the content itself, where there is no source.
    :param link: what a symbolic link points to; it has no content.
    """

    path: str
    mode: int = 0o644
    source: Path | None = None
    content: bytes = b""
    link: str = ""
    directory: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer as it lies among the blobs.

    :param purpose: what is in it, for people.
    :param digest: of the compressed bytes, which is its name.
    :param diff: digest of the archive inside, which the image's config names.
    :param size: compressed bytes.
    :param unpacked: bytes of the archive inside.
    """

    purpose: str
    digest: str
    diff: str
    size: int
    unpacked: int


def iter_tree(directory: Path, prefix: str) -> Iterator[Entry]:
    """Every file below ``directory``, to lie below ``place`` in the image."""
    for path in sorted(directory.rglob("*")):
        name = f"{prefix}/{path.relative_to(directory).as_posix()}"
        if path.is_symlink():
            yield Entry(path=name, link=str(path.readlink()))
        elif path.is_file():
            # Whether it can be run is all of a mode that means the same on every machine.
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            yield Entry(path=name, mode=mode, source=path)


def write_layer(purpose: str, entries: Iterable[Entry], blobs: Path) -> Layer:
    """Write a layer into the directory ``blobs``, named by its digest.

    Owned by root, dated 1970, sorted by path; directories on the way are made.
    """
    blobs.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=blobs, delete=False) as draft:
        sink = _DigestWriter(draft)
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]  # any object with write() will do
            for entry in _add_parents(entries):
                _add_entry(archive, entry)
        sink.finish()
    path = Path(draft.name)
    path.chmod(0o644)
    path.rename(blobs / sink.packed_hash.hexdigest())
    return Layer(
        purpose=purpose,
        digest=f"sha256:{sink.packed_hash.hexdigest()}",
        diff=f"sha256:{sink.plain_hash.hexdigest()}",
        size=sink.packed_size,
        unpacked=sink.unpacked_size,
    )


class _DigestWriter:
    """Compresses and digests what is written, once as it comes and once as it goes."""

    def __init__(self, file: BinaryIO | tempfile._TemporaryFileWrapper[bytes]) -> None:
        self._file = file
        self._packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self.plain_hash, self.packed_hash = hashlib.sha256(), hashlib.sha256()
        self.packed_size = self.unpacked_size = 0

    def write(self, content: bytes) -> int:
        """Take what the archive writes."""
        self.plain_hash.update(content)
        self.unpacked_size += len(content)
        self._write_compressed(self._packer.compress(content))
        return len(content)

    def finish(self) -> None:
        """Write what the compressor still holds."""
        self._write_compressed(self._packer.flush())

    def _write_compressed(self, content: bytes) -> None:
        self.packed_hash.update(content)
        self.packed_size += len(content)
        self._file.write(content)


def _add_parents(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Sorted, and with every directory on the way."""
    by_path = {entry.path: entry for entry in entries}
    for path in list(by_path):
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                directory = str(parent)
                by_path.setdefault(directory, Entry(path=directory, mode=0o755, directory=True))
    return (by_path[path] for path in sorted(by_path))


def _add_entry(archive: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mode = entry.mode
    if entry.directory:
        info.type = tarfile.DIRTYPE
        return archive.addfile(info)
    if entry.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
        return archive.addfile(info)
    if entry.source is None:
        info.size = len(entry.content)
        return archive.addfile(info, io.BytesIO(entry.content))
    with entry.source.open("rb") as content:
        info.size = entry.source.stat().st_size
        return archive.addfile(info, content)
