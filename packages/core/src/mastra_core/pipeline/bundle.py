"""The bundle: a directory with everything that a deploy needs, in the layout of a target."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import msgspec

from mastra_core.errors import BundleError
from mastra_core.pipeline.build import Build
from mastra_core.pipeline.file_tree import (
    HAS_MODES,
    Identity,
    get_identity,
    hash_file,
    is_executable,
    iter_files,
    normalize_mode,
)
from mastra_core.pipeline.manifest import BundleManifest

__all__ = ("MANIFEST", "Bundle")

MANIFEST = "mastra-bundle.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """A complete directory for one target, which ``mastra bundle`` creates.

    :param directory: the directory that contains the files and the manifest ``mastra-bundle.json``.
    :param manifest: the facts of the bundle.
    """

    directory: Path
    manifest: BundleManifest

    @classmethod
    def seal(cls, build: Build, directory: Path, target: str, **metadata: Any) -> Bundle:
        """Write the manifest of a finished directory, as the last step of ``mastra_bundle``.

        The modes of all files and directories are normalized, and do not depend on the umask.

        :param build: the build that the files come from.
        :param directory: the finished directory.
        :param target: name of the target.
        :param metadata: further facts that the deployer stores, JSON builtins.
        :returns: the bundle.
        :raises BundleError: when the directory contains a symbolic link, or when JSON cannot
            express the metadata.
        """
        _check_metadata(metadata)
        (directory / MANIFEST).unlink(missing_ok=True)
        entries = _list_entries(directory)
        _normalize_modes(directory, entries)
        facts = msgspec.structs.replace(
            build.manifest,
            target=target,
            metadata=metadata,
            executables=_list_executables(entries),
            digest="",
        )
        digest = _compute_digest(entries, msgspec.json.encode(facts), build.digests)
        manifest = msgspec.structs.replace(facts, digest=digest)
        text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)
        (directory / MANIFEST).write_bytes(text + b"\n")
        normalize_mode(directory / MANIFEST, (directory / MANIFEST).stat())
        return cls(directory=directory, manifest=manifest)

    @classmethod
    def load(cls, directory: Path) -> Bundle:
        """Read a bundle from disk, and verify its digest.

        A copy, such as an artifact of a CI system, may have lost executable bits. They are
        restored.

        :param directory: the directory of the bundle.
        :raises BundleError: when there is no bundle, or it was changed after it was sealed.
        """
        try:
            content = (directory / MANIFEST).read_bytes()
            manifest = msgspec.json.decode(content, type=BundleManifest)
        except (FileNotFoundError, NotADirectoryError):
            raise BundleError(
                f"There is no bundle in {str(directory)!r}, because {MANIFEST} is missing.",
                "Run: mastra bundle TARGET.",
            ) from None
        except (OSError, msgspec.DecodeError) as error:
            raise BundleError(
                f"{MANIFEST} in {str(directory)!r} cannot be read: {error}.",
                "Run mastra bundle again.",
            ) from None
        if not all(map(_is_inside, (*manifest.paths, *manifest.executables))):
            raise BundleError(
                f"{MANIFEST} in {str(directory)!r} contains a path that points outside of the "
                "bundle.",
                "Run mastra bundle again.",
            )
        entries = _list_entries(directory)
        is_complete = {name for name, _ in entries}.issuperset(manifest.executables)
        if not is_complete or manifest.digest != _compute_digest(entries, content, {}):
            raise BundleError(
                f"The bundle in {str(directory)!r} was changed after it was made.",
                "Run mastra bundle again. To add files to the bundle, put them into the project.",
            )
        _restore_executables(directory, manifest, entries)
        return cls(directory=directory, manifest=manifest)

    def iter_files(self) -> Iterator[Path]:
        """Yield every file of the bundle with the manifest, sorted by name."""
        return (Path(entry.path) for _, entry in _list_entries(self.directory))


def _is_inside(path: str) -> bool:
    """Return whether a path of a manifest is relative, and stays inside of the bundle."""
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


_Entries: TypeAlias = list[tuple[str, "os.DirEntry[str]"]]


def _list_entries(directory: Path) -> _Entries:
    """Return all files with their names, sorted by name."""
    entries = []
    for name, entry in iter_files(directory):
        if entry.is_symlink():
            raise BundleError(
                f"The bundle contains a symbolic link: {entry.path!r}.",
                "Replace the link with a copy of the file that it points to.",
            )
        if entry.is_file():
            entries.append((name, entry))
    return sorted(entries, key=lambda pair: pair[0])


def _normalize_modes(directory: Path, entries: _Entries) -> None:
    """Normalize the modes of files and of all directories that contain them."""
    directories = {""}
    for name, entry in entries:
        normalize_mode(entry.path, entry.stat())
        parent = name.rpartition("/")[0]
        while parent not in directories:
            directories.add(parent)
            parent = parent.rpartition("/")[0]
    for name in directories:
        path = directory / name
        normalize_mode(path, path.stat())


def _list_executables(entries: _Entries) -> tuple[str, ...]:
    return tuple(name for name, entry in entries if is_executable(entry.path, entry.stat()))


def _restore_executables(directory: Path, manifest: BundleManifest, entries: _Entries) -> None:
    """Restore executable bits that a copy has lost; do nothing on Windows."""
    if not HAS_MODES:
        return
    for name in sorted(set(manifest.executables) ^ set(_list_executables(entries))):
        path = directory / name
        mode = stat.S_IMODE(path.stat().st_mode)
        try:
            path.chmod(mode | 0o111 if name in manifest.executables else mode & ~0o111)
        except OSError as error:
            raise BundleError(
                f"The executable bit of {name!r} in the bundle {str(directory)!r} was changed and "
                f"cannot be restored ({error.strerror}).",
                "Copy the bundle with a program that keeps the modes of files, such as tar, cp -p "
                "or rsync -p.",
            ) from error


def _compute_digest(entries: _Entries, manifest: bytes, digests: Mapping[Identity, str]) -> str:
    """Return the SHA-256 of the manifest and of all files, including their names."""
    facts = {**msgspec.json.decode(manifest), "digest": ""}
    digest = hashlib.sha256(msgspec.json.encode(facts, order="sorted"))
    for name, entry in entries:
        if name != MANIFEST:
            content = digests.get(get_identity(entry.stat())) or hash_file(entry.path)
            digest.update(f"{name}\0{content}\0".encode())
    return digest.hexdigest()


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    try:
        msgspec.json.encode(metadata)
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"JSON cannot express the metadata of the bundle: {error}.",
            "Pass texts, numbers, lists and mappings to Bundle.seal.",
        ) from None
