"""Write layers reproducibly: the same files give the same bytes on any machine."""

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

_GZIP = 31  # zlib's window bits for a gzip stream; zlib writes its header without a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, a symbolic link or a directory of a layer.

    :param path: path in the image, without the leading slash.
    :param mode: permissions.
    :param source: file whose content the entry has.
    :param content: content of the entry, where there is no ``source``.
    :param link: target of a symbolic link; such an entry has no content.
    :param directory: whether the entry is a directory.
    """

    path: str
    mode: int = 0o644
    source: Path | None = None
    content: bytes = b""
    link: str = ""
    directory: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer in a directory of blobs.

    :param purpose: what the layer contains, for messages.
    :param digest: digest of the compressed bytes, by which the layer is named.
    :param diff: digest of the uncompressed archive, which the image's config lists.
    :param size: size of the compressed bytes.
    :param unpacked: size of the uncompressed archive in bytes.
    """

    purpose: str
    digest: str
    diff: str
    size: int
    unpacked: int


def iter_tree(directory: Path, prefix: str) -> Iterator[Entry]:
    """Yield an entry for every file below a directory.

    :param directory: the directory.
    :param prefix: path in the image below which the files are placed.
    :returns: the entries, sorted by path.
    """
    for path in sorted(directory.rglob("*")):
        name = f"{prefix}/{path.relative_to(directory).as_posix()}"
        if path.is_symlink():
            yield Entry(path=name, link=str(path.readlink()))
        elif path.is_file():
            # Only the executable bit is kept: the rest depends on the umask of the machine.
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            yield Entry(path=name, mode=mode, source=path)


def write_layer(purpose: str, entries: Iterable[Entry], blobs: Path) -> Layer:
    """Write a layer into a directory of blobs, named by its digest.

    All entries are owned by root, dated 1970 and sorted by path. Parent directories are added.

    :param purpose: what the layer contains, for messages.
    :param entries: the entries, in any order.
    :param blobs: directory of the bundle's blobs; created where it does not exist.
    :returns: the layer.
    """
    blobs.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=blobs, delete=False) as draft:
        sink = _DigestWriter(draft)
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]  # any object with write() works
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
    """Compresses what is written, and hashes both the plain and the compressed bytes."""

    def __init__(self, file: BinaryIO | tempfile._TemporaryFileWrapper[bytes]) -> None:
        self._file = file
        self._packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self.plain_hash, self.packed_hash = hashlib.sha256(), hashlib.sha256()
        self.packed_size = self.unpacked_size = 0

    def write(self, content: bytes) -> int:
        """Compress and write a piece of the archive."""
        self.plain_hash.update(content)
        self.unpacked_size += len(content)
        self._write_compressed(self._packer.compress(content))
        return len(content)

    def finish(self) -> None:
        """Flush the compressor."""
        self._write_compressed(self._packer.flush())

    def _write_compressed(self, content: bytes) -> None:
        self.packed_hash.update(content)
        self.packed_size += len(content)
        self._file.write(content)


def _add_parents(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Sort the entries by path and add their parent directories."""
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
