"""Files by digest: what a platform is told before it is sent anything."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ("Manifest",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """Every file of a directory, by path and by digest.

    :param paths: path (relative, ``/``) to digest.
    :param files: digest to all files with that content: two may share it.
    """

    directory: Path
    paths: Mapping[str, str]
    files: Mapping[str, tuple[Path, ...]]

    @classmethod
    def of(cls, directory: Path, algorithm: str = "sha256") -> Manifest:
        """Digest a directory.

        :param algorithm: as ``hashlib`` names it.
        """
        paths: dict[str, str] = {}
        files: dict[str, tuple[Path, ...]] = {}
        for path in sorted(item for item in directory.rglob("*") if item.is_file()):
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, algorithm).hexdigest()
            paths[path.relative_to(directory).as_posix()] = digest
            files[digest] = (*files.get(digest, ()), path)
        return cls(directory=directory, paths=paths, files=files)

    def read(self, digest: str) -> bytes:
        """The content with that digest."""
        return self.files[digest][0].read_bytes()

    def size(self, digests: Iterable[str] | None = None) -> int:
        """Bytes of all distinct contents, or of those named."""
        wanted = self.files if digests is None else digests
        return sum(self.files[digest][0].stat().st_size for digest in wanted)
