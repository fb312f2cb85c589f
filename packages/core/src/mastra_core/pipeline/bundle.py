"""The bundle: a directory in the layout of one target, with everything that a deploy needs."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from mastra_core.errors import BundleError
from mastra_core.pipeline.build import Build
from mastra_core.pipeline.file_tree import Identity, get_identity, hash_file, iter_files
from mastra_core.pipeline.manifest import BundleManifest

__all__ = ("MANIFEST", "Bundle")

MANIFEST = "mastra-bundle.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """A complete directory for one target, made by ``mastra bundle``.

    :param directory: the files, with the manifest ``mastra-bundle.json``.
    :param manifest: the facts of the bundle.
    """

    directory: Path
    manifest: BundleManifest

    @classmethod
    def seal(cls, build: Build, directory: Path, target: str, **metadata: Any) -> Bundle:
        """Write the manifest of a finished directory, as the last step of ``mastra_bundle``.

        :param build: the build that the files come from.
        :param directory: the finished directory.
        :param target: name of the target.
        :param metadata: the deployer's own facts, JSON builtins.
        :returns: the bundle.
        :raises BundleError: when the directory contains a symbolic link.
        """
        (directory / MANIFEST).unlink(missing_ok=True)
        facts = msgspec.structs.replace(build.manifest, target=target, metadata=metadata, digest="")
        digest = _compute_digest(directory, msgspec.json.encode(facts), build.digests)
        manifest = msgspec.structs.replace(facts, digest=digest)
        text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)
        (directory / MANIFEST).write_bytes(text + b"\n")
        return cls(directory=directory, manifest=manifest)

    @classmethod
    def load(cls, directory: Path) -> Bundle:
        """Read a bundle from disk and verify its digest.

        :param directory: the directory of the bundle.
        :raises BundleError: when there is no bundle, or it was changed after it was sealed.
        """
        try:
            content = (directory / MANIFEST).read_bytes()
            manifest = msgspec.json.decode(content, type=BundleManifest)
        except (FileNotFoundError, NotADirectoryError):
            raise BundleError(
                f"There is no bundle in {str(directory)!r}: {MANIFEST} is missing.",
                "Run: mastra bundle TARGET.",
            ) from None
        except msgspec.DecodeError as error:
            raise BundleError(
                f"{MANIFEST} in {str(directory)!r} cannot be read: {error}.",
                "Run mastra bundle again.",
            ) from None
        if any(".." in PurePosixPath(path).parts for path in manifest.paths):
            raise BundleError(
                f"A path of {MANIFEST} in {str(directory)!r} leads out of the bundle.",
                "Run mastra bundle again.",
            )
        if manifest.digest != _compute_digest(directory, content, {}):
            raise BundleError(
                f"The bundle in {str(directory)!r} was changed after it was made.",
                "Run mastra bundle again; put additional files into the project.",
            )
        return cls(directory=directory, manifest=manifest)

    def iter_files(self) -> Iterator[Path]:
        """Return every file of the bundle, sorted by name, including the manifest."""
        return (Path(entry.path) for _, entry in _list_entries(self.directory))


def _list_entries(directory: Path) -> list[tuple[str, os.DirEntry[str]]]:
    """Return every file with its name, sorted by name."""
    entries = []
    for name, entry in iter_files(directory):
        if entry.is_symlink():
            raise BundleError(
                f"The bundle has a link: {entry.path!r}.",
                "Replace the link by a copy of its file.",
            )
        if entry.is_file():
            entries.append((name, entry))
    return sorted(entries, key=lambda pair: pair[0])


def _compute_digest(directory: Path, manifest: bytes, digests: Mapping[Identity, str]) -> str:
    """Return the SHA-256 of the manifest and of all files, with their names and contents."""
    facts = {**msgspec.json.decode(manifest), "digest": ""}
    digest = hashlib.sha256(msgspec.json.encode(facts, order="sorted"))
    for name, entry in _list_entries(directory):
        if name != MANIFEST:
            content = digests.get(get_identity(entry.stat())) or hash_file(entry.path)
            digest.update(f"{name}\0{content}\0".encode())
    return digest.hexdigest()
