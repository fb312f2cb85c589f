"""Store the inputs and the output of each bundle, to skip the build of an unchanged app.

An output is reused only if its inputs have the recorded content, and its files have the recorded
status in the file system. An output does not expire.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mastra_core.pipeline import MANIFEST, BundleManifest, Problem, Project
from mastra_core.pipeline.file_tree import iter_files
from mastra_deployer.files.checksummed_json import read_checksummed_json, write_checksummed_json
from mastra_deployer.files.directories import get_local_file

__all__ = (
    "BuildState",
    "compute_build_fingerprint",
    "hash_code",
    "load_build_state",
    "save_build_state",
)


class BuildState(msgspec.Struct, frozen=True, kw_only=True):
    """What mastra stores about the build of one output, to reuse the output.

    :param facts: digest of the inputs that decide the bundle, except sources and dependencies.
    :param stamp: digest of the files of the output.
    :param manifest: the manifest of the bundle.
    :param problems: the problems that checks found before bundling.
    """

    facts: str
    stamp: str
    manifest: BundleManifest
    problems: tuple[Problem, ...] = ()

    def is_current(self, directory: Path) -> bool:
        """Return whether the output still exists unchanged.

        :param directory: the output.
        """
        try:
            return self.stamp == _hash_output(directory)
        except OSError:
            return False


def compute_build_fingerprint(sources: str, closure: str) -> str:
    """Compute the fingerprint of a build.

    :param sources: digest of the app's own files.
    :param closure: fingerprint of the build's dependencies.
    """
    return hashlib.sha256(f"{sources}\n{closure}".encode()).hexdigest()


def load_build_state(project: Project, directory: Path) -> BuildState | None:
    """Load the state of an output; ``None`` if there is none.

    :param project: the app.
    :param directory: the output.
    """
    return read_checksummed_json(_get_state_file(project, directory), BuildState)


def save_build_state(
    project: Project,
    directory: Path,
    facts: str,
    manifest: BundleManifest,
    problems: Sequence[Problem],
) -> None:
    """Save the state of a finished output.

    :param project: the app.
    :param directory: the output.
    :param facts: digest of the inputs that decide the bundle, except sources and dependencies.
    :param manifest: the manifest of the bundle.
    :param problems: the problems that checks found before bundling.
    """
    state = BuildState(
        facts=facts,
        stamp=_hash_output(directory),
        manifest=manifest,
        problems=tuple(problems),
    )
    file = _get_state_file(project, directory)
    write_checksummed_json(file, state)


def hash_code(directory: Path) -> str:
    """Hash the names, sizes and times of a package's files, except bytecode.

    The version of an editable package does not change with its code. A package may also contain
    files that it copies into bundles.

    :param directory: the package's directory.
    """
    entries = (
        (name, *_get_size_and_time(entry))
        for name, entry in iter_files(directory)
        if not name.endswith(".pyc")
    )
    return hashlib.sha256(repr(sorted(entries)).encode()).hexdigest()


def _hash_output(directory: Path) -> str:
    """Hash the manifest's content and the status of each file; do not read the other files."""
    digest = hashlib.sha256((directory / MANIFEST).read_bytes())
    entries = (
        (name, entry.inode(), entry.stat(follow_symlinks=False).st_mode, *_get_size_and_time(entry))
        for name, entry in iter_files(directory)
    )
    digest.update(repr(sorted(entries)).encode())
    return digest.hexdigest()


def _get_size_and_time(entry: os.DirEntry[str]) -> tuple[int, int]:
    status = entry.stat(follow_symlinks=False)
    return status.st_size, status.st_mtime_ns


def _get_state_file(project: Project, directory: Path) -> Path:
    real = directory.parent.resolve() / directory.name  # resolves links to the output
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
    return get_local_file(project, "made", f"{name}.json")
