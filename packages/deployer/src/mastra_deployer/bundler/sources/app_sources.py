"""The user's own files that ship, and a function that copies them."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from mastra_core.pipeline import Problem
from mastra_core.pipeline.file_tree import hash_file
from mastra_deployer.bundler.sources.module_code import ModuleCode

__all__ = ("AppSources",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AppSources:
    """The user's own files that ship, and the files that do not ship.

    :param files: the content or the location of each file, by the file's path relative to the
        project's root.
    :param dropped: names, relative to the project's root, of files that do not ship, each with the
        reason.
    :param executables: the names of those files in ``files`` that are executable.
    :param code: the modules that ship, by path relative to the project's root.
    :param included: files outside of the app's packages that ship, each with the reason.
    :param problems: files that the code names and that do not ship.
    """

    files: Mapping[str, bytes | Path]
    dropped: Mapping[str, str]
    executables: frozenset[str] = frozenset()
    code: Mapping[str, ModuleCode] = dataclasses.field(default_factory=dict, repr=False)
    included: Mapping[str, str] = dataclasses.field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def collect_modules(self) -> frozenset[str]:
        """Return the dotted names that the code imports or has in strings."""
        return frozenset().union(*(code.modules for code in self.code.values()))

    def write(self, directory: Path) -> None:
        """Copy the files that ship, with mode 755 for executable files and 644 for others.

        :param directory: the directory that receives the copies, in the layout of the project.
        """
        for name, content in self.files.items():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                target.write_bytes(content)
            else:
                shutil.copyfile(content, target)
            target.chmod(0o755 if name in self.executables else 0o644)

    def compute_digest(self) -> str:
        """Return the SHA-256 of the names, contents and executable bits that the files have now."""
        return _hash_files(self.files, self.executables)

    def compute_written_digest(self, directory: Path) -> str:
        """Return the digest of the copies, because the original files may have changed since.

        :param directory: the directory given to ``write``.
        """
        files = {name: directory / name for name in self.files}
        return _hash_files(files, self.executables)


def _hash_files(files: Mapping[str, bytes | Path], executables: Collection[str]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        content_hash = (
            hashlib.sha256(content).hexdigest()
            if isinstance(content, bytes)
            else hash_file(content)
        )
        mode = "755" if name in executables else "644"
        digest.update(f"{name}\0{mode} {content_hash}\0".encode())
    return digest.hexdigest()
