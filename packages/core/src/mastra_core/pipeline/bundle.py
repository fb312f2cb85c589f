"""A directory shaped for one target, complete: if deploying needs it, it is in there."""

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
from mastra_core.pipeline.file_tree import Identity, content_digest, identity_of, tree_files
from mastra_core.pipeline.manifest import BundleManifest

__all__ = ("MANIFEST", "Bundle")

MANIFEST = "mastra-bundle.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """What ``mastra bundle`` makes and ``mastra deploy --prebuilt`` takes."""

    directory: Path
    manifest: BundleManifest

    @classmethod
    def seal(cls, build: Build, directory: Path, target: str, **metadata: Any) -> Bundle:
        """Write the manifest of a finished directory: the last thing ``mastra_bundle`` does.

        :param metadata: the deployer's own facts, JSON builtins.
        """
        (directory / MANIFEST).unlink(missing_ok=True)
        facts = msgspec.structs.replace(build.manifest, target=target, metadata=metadata, digest="")
        digest = _digest(directory, msgspec.json.encode(facts), build.digests)
        manifest = msgspec.structs.replace(facts, digest=digest)
        text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)
        (directory / MANIFEST).write_bytes(text + b"\n")
        return cls(directory=directory, manifest=manifest)

    @classmethod
    def load(cls, directory: Path) -> Bundle:
        """A bundle from disk.

        :raises BundleError: when there is none, or it was changed after it was made.
        """
        try:
            content = (directory / MANIFEST).read_bytes()
            manifest = msgspec.json.decode(content, type=BundleManifest)
        except (FileNotFoundError, NotADirectoryError):
            raise BundleError(
                f"There is no bundle in {str(directory)!r}: {MANIFEST} is missing.",
                "Make one: mastra bundle TARGET.",
            ) from None
        except msgspec.DecodeError as error:
            raise BundleError(
                f"{MANIFEST} in {str(directory)!r} cannot be read: {error}.", "Bundle again."
            ) from None
        if any(".." in PurePosixPath(path).parts for path in manifest.paths):
            raise BundleError(f"{MANIFEST} in {str(directory)!r} leads out of it.", "Bundle again.")
        if manifest.digest != _digest(directory, content, {}):
            raise BundleError(
                f"The bundle in {str(directory)!r} was changed after it was made.",
                "Bundle again; what a bundle needs belongs into the project.",
            )
        return cls(directory=directory, manifest=manifest)

    def files(self) -> Iterator[Path]:
        """Every file, sorted, the manifest too."""
        return (Path(entry.path) for _, entry in _entries(self.directory))


def _entries(directory: Path) -> list[tuple[str, os.DirEntry[str]]]:
    """Every file by name, sorted."""
    entries = []
    for name, entry in tree_files(directory):
        if entry.is_symlink():
            raise BundleError(
                f"The bundle has a link: {entry.path!r}.", "Put the file itself there."
            )
        if entry.is_file():
            entries.append((name, entry))
    return sorted(entries, key=lambda pair: pair[0])


def _digest(directory: Path, manifest: bytes, known: Mapping[Identity, str]) -> str:
    """SHA-256 of everything: what is named by it has these files and these facts, no others."""
    facts = {**msgspec.json.decode(manifest), "digest": ""}
    digest = hashlib.sha256(msgspec.json.encode(facts, order="sorted"))
    for name, entry in _entries(directory):
        if name != MANIFEST:
            content = known.get(identity_of(entry.stat())) or content_digest(entry.path)
            digest.update(f"{name}\0{content}\0".encode())
    return digest.hexdigest()
