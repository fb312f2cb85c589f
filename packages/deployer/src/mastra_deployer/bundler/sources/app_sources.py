"""The user's own code as it ships: every file, and what was left behind."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from mastra_core.pipeline.file_tree import content_digest

__all__ = ("Sources",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sources:
    """What of the user's own code ships.

    :param files: name from the project's root to the file's content, or to the file itself.
    :param dropped: names from the project's root that do not ship, each with the reason.
    """

    files: Mapping[str, bytes | Path]
    dropped: Mapping[str, str]

    def write(self, directory: Path) -> None:
        """Copy all of it into ``directory``, which then mirrors the project's root."""
        for name, content in self.files.items():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                target.write_bytes(content)
            else:
                shutil.copyfile(content, target)

    def digest(self) -> str:
        """SHA-256 over names and contents, as they stand now."""
        return _digest(self.files)

    def written_digest(self, directory: Path) -> str:
        """The same of what ``write`` put into ``directory``: somebody may have edited since."""
        return _digest({name: directory / name for name in self.files})


def _digest(files: Mapping[str, bytes | Path]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        found = (
            hashlib.sha256(content).hexdigest()
            if isinstance(content, bytes)
            else content_digest(content)
        )
        digest.update(f"{name}\0{found}\0".encode())
    return digest.hexdigest()
