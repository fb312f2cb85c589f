"""Files by digest: what a platform is told before it is sent anything."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from mastra_core.errors import BundleError, DeployError

__all__ = ("Manifest",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """Every file of a directory, by path and by digest.

    :param paths: path (relative, ``/``) to digest.
    :param files: digest to all files with that content: two may share it.
    :param sizes: digest to bytes.
    :param algorithm: as ``hashlib`` names it.
    """

    directory: Path
    paths: Mapping[str, str]
    files: Mapping[str, tuple[Path, ...]]
    sizes: Mapping[str, int]
    algorithm: str = "sha256"

    @classmethod
    def of(cls, directory: Path, algorithm: str = "sha256") -> Manifest:
        """Digest a directory.

        :param algorithm: as ``hashlib`` names it.
        :raises BundleError: for a symbolic link: what it leads to is not in the bundle.
        """
        paths: dict[str, str] = {}
        files: dict[str, tuple[Path, ...]] = {}
        sizes: dict[str, int] = {}
        for path in sorted(directory.rglob("*")):
            if path.is_symlink():
                raise _linked(path)
            if path.is_file():
                digest, sizes[digest] = _digest(path, algorithm)
                paths[path.relative_to(directory).as_posix()] = digest
                files[digest] = (*files.get(digest, ()), path)
        return cls(directory=directory, paths=paths, files=files, sizes=sizes, algorithm=algorithm)

    def read(self, digest: str) -> bytes:
        """The content with that digest.

        :raises DeployError: when the file was changed or removed after it was digested.
        """
        path = self.files[digest][0]
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise _changed(path) from None
        if hashlib.new(self.algorithm, content, usedforsecurity=False).hexdigest() != digest:
            raise _changed(path)
        return content

    def size(self, digests: Iterable[str] | None = None) -> int:
        """Bytes of all distinct contents, or of those named."""
        return sum(self.sizes[digest] for digest in (self.sizes if digests is None else digests))


def _digest(path: Path, algorithm: str) -> tuple[str, int]:
    """Digest and size of what is read, not of what may be there a moment later."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.new(algorithm, usedforsecurity=False))
        return digest.hexdigest(), content.tell()


def _linked(path: Path) -> BundleError:
    return BundleError(
        f"There is a link where a file is wanted: {str(path)!r}.", "Put the file itself there."
    )


def _changed(path: Path) -> DeployError:
    return DeployError(
        f"{str(path)!r} was changed while it was deployed.",
        "Let nothing write into the bundle meanwhile; bundle again and deploy.",
    )
