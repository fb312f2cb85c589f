"""List the files of a directory by digest, for platforms that need only missing files."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from mastra_core.errors import BundleError, DeployError

__all__ = ("FileManifest",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileManifest:
    """All files of a directory, by path and by digest.

    :param directory: the directory that contains the files.
    :param paths: digest by path (relative, with ``/``).
    :param files: the files with the same content, by digest.
    :param sizes: size of the content in bytes, by digest.
    :param algorithm: a name of ``hashlib``.
    """

    directory: Path
    paths: Mapping[str, str]
    files: Mapping[str, tuple[Path, ...]]
    sizes: Mapping[str, int]
    algorithm: str = "sha256"

    @classmethod
    def from_directory(cls, directory: Path, algorithm: str = "sha256") -> FileManifest:
        """Compute the digests of a directory's files.

        :param directory: the directory to search, with all its subdirectories; a missing directory
            has no files.
        :param algorithm: a name of ``hashlib``, such as ``"sha1"``.
        :raises BundleError: for a symbolic link, because its target may be outside of the bundle.
        """
        paths: dict[str, str] = {}
        files: dict[str, list[Path]] = {}
        sizes: dict[str, int] = {}
        for path in sorted(directory.rglob("*")):
            if path.is_symlink():
                raise _build_link_error(path)
            if path.is_file():
                digest, sizes[digest] = _compute_digest(path, algorithm)
                paths[path.relative_to(directory).as_posix()] = digest
                files.setdefault(digest, []).append(path)
        return cls(
            directory=directory,
            paths=paths,
            files={digest: tuple(sharing) for digest, sharing in files.items()},
            sizes=sizes,
            algorithm=algorithm,
        )

    def read(self, digest: str) -> bytes:
        """Return the content whose digest is ``digest``.

        :param digest: a key of ``files``.
        :raises DeployError: when the file was changed or removed after its digest was computed.
        """
        path = self.files[digest][0]
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise _build_change_error(path) from None
        if hashlib.new(self.algorithm, content, usedforsecurity=False).hexdigest() != digest:
            raise _build_change_error(path)
        return content

    def get_size(self, digests: Iterable[str] | None = None) -> int:
        """Return the total bytes of the contents with the given digests, or of all contents.

        :param digests: keys of ``sizes``; all keys if left out. Equal contents count once.
        """
        return sum(self.sizes[digest] for digest in (self.sizes if digests is None else digests))


def _compute_digest(path: Path, algorithm: str) -> tuple[str, int]:
    """Compute digest and size in one pass, because the file may change between two passes."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.new(algorithm, usedforsecurity=False))
        return digest.hexdigest(), content.tell()


def _build_link_error(path: Path) -> BundleError:
    return BundleError(
        f"{str(path)!r} is a symbolic link, but a bundle may contain only files.",
        "Replace the link with the file itself.",
    )


def _build_change_error(path: Path) -> DeployError:
    return DeployError(
        f"{str(path)!r} changed during the deploy.",
        "Stop programs that write into the bundle. Then bundle and deploy again.",
    )
