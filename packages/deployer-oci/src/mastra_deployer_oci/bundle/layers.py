"""Write layers reproducibly, so that the same files give the same bytes on any machine."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from mastra_deployer.kit import ArchiveEntry, GzipWriter, write_tar

__all__ = ("Layer", "hash_layer", "write_layer")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer in a directory of blobs.

    :param purpose: a name for the content of the layer, for messages.
    :param digest: digest of the compressed bytes, which is the name of the layer's blob.
    :param diff: digest of the uncompressed archive, which the image's config lists.
    :param size: size of the compressed bytes.
    :param unpacked: size of the uncompressed archive in bytes.
    """

    purpose: str
    digest: str
    diff: str
    size: int
    unpacked: int


def write_layer(purpose: str, entries: Iterable[ArchiveEntry], blobs: Path) -> Layer:
    """Write a layer to a directory of blobs, under its digest.

    All entries are owned by root, dated 1970 and sorted by path. Parent directories are added.

    :param purpose: a name for the content of the layer, for messages.
    :param entries: the entries, in any order.
    :param blobs: directory of the bundle's blobs; created if it does not exist.
    :returns: the layer.
    """
    blobs.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=blobs, delete=False) as draft:
        packed = _Digest(draft.write)
        stream = GzipWriter(packed.write)
        plain = _Digest(stream.write)
        write_tar(_add_parents(entries), plain.write)
        stream.close()
    path = Path(draft.name)
    path.chmod(0o644)
    path.rename(blobs / packed.hash.hexdigest())
    return Layer(
        purpose=purpose,
        digest=f"sha256:{packed.hash.hexdigest()}",
        diff=f"sha256:{plain.hash.hexdigest()}",
        size=packed.size,
        unpacked=plain.size,
    )


def hash_layer(entries: Iterable[ArchiveEntry]) -> str:
    """Hash what decides the bytes of a layer: its entries, and the version of zlib.

    :param entries: the entries, in any order.
    """
    digest = hashlib.sha256(f"{zlib.ZLIB_RUNTIME_VERSION}\0".encode())
    write_tar(_add_parents(entries), digest.update)
    return digest.hexdigest()


class _Digest:
    """Hashes and counts all bytes that are written, and passes them on."""

    def __init__(self, pass_to: Callable[[bytes], object]) -> None:
        self.hash, self.size = hashlib.sha256(), 0
        self._pass_to = pass_to

    def write(self, content: bytes) -> None:
        self.hash.update(content)
        self.size += len(content)
        self._pass_to(content)


def _add_parents(entries: Iterable[ArchiveEntry]) -> Iterator[ArchiveEntry]:
    """Sort the entries by path, and add their parent directories."""
    by_path = {entry.path: entry for entry in entries}
    for path in list(by_path):
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                entry = ArchiveEntry(path=str(parent), mode=0o755, directory=True)
                by_path.setdefault(entry.path, entry)
    return (by_path[path] for path in sorted(by_path))
