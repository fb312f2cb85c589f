"""What was bundled where, and from what, so that nothing is made again for nothing.

No clock is asked: an output is taken as it is only where its inputs, by content, and its files,
by what the file system says of them, are those that were remembered.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mastra_core.pipeline import MANIFEST, BundleManifest, Problem, Project
from mastra_core.pipeline.file_tree import tree_files
from mastra_deployer.files.checksummed import read_sealed, write_sealed
from mastra_deployer.files.directories import local_directory

__all__ = ("Memory", "code_stamp", "fingerprint_of", "recall", "remember")


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """One output.

    :param facts: of everything but sources and dependencies that decides what is made.
    :param stamp: of the files that were made.
    :param problems: what the checks before bundling had to say.
    """

    facts: str
    stamp: str
    manifest: BundleManifest
    problems: tuple[Problem, ...] = ()

    def stands(self, place: Path) -> bool:
        """Whether what was made at ``place`` is still there, and untouched."""
        try:
            return self.stamp == _stamp(place)
        except OSError:
            return False


def fingerprint_of(sources: str, closure: str) -> str:
    """The fingerprint of a build: of the app's own files, and of its dependencies."""
    return hashlib.sha256(f"{sources}\n{closure}".encode()).hexdigest()


def recall(project: Project, place: Path) -> Memory | None:
    """What is remembered of ``place``, if anything."""
    return read_sealed(_file(project, place), Memory)


def remember(
    project: Project,
    place: Path,
    facts: str,
    manifest: BundleManifest,
    problems: Sequence[Problem],
) -> None:
    """Remember what was just made at ``place``."""
    memory = Memory(
        facts=facts,
        stamp=_stamp(place),
        manifest=manifest,
        problems=tuple(problems),
    )
    file = _file(project, place)
    file.parent.mkdir(exist_ok=True)
    write_sealed(file, memory)


def code_stamp(directory: Path) -> str:
    """Tells one state of a package's code from another; an editable one has one version."""
    found = (
        (name, *_status(entry)) for name, entry in tree_files(directory) if name.endswith(".py")
    )
    return hashlib.sha256(repr(sorted(found)).encode()).hexdigest()


def _stamp(place: Path) -> str:
    """Of the manifest by content, and of each file by all that is known without reading it."""
    digest = hashlib.sha256((place / MANIFEST).read_bytes())
    found = ((name, entry.inode(), *_status(entry)) for name, entry in tree_files(place))
    digest.update(repr(sorted(found)).encode())
    return digest.hexdigest()


def _status(entry: os.DirEntry[str]) -> tuple[int, int]:
    status = entry.stat(follow_symlinks=False)
    return status.st_size, status.st_mtime_ns


def _file(project: Project, place: Path) -> Path:
    real = place.parent.resolve() / place.name  # by whatever link one came
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
    return local_directory(project) / "made" / f"{name}.json"
