"""The dependencies of the bundle before, used again as they lie there.

Most builds change the app and nothing else. What the old bundle leaves behind when it is replaced
is then what the next one needs: one rename instead of thousands of links, and of deletions.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from mastra_core.pipeline.file_tree import Identity, identity_of, tree_files
from mastra_deployer.bundler.vendor.bytecode import FinishedFile
from mastra_deployer.bundler.vendor.wheel_store import Part

__all__ = ("keep_spare", "take_spare")

_VENDOR = "vendor"


def keep_spare(old: Path, spare: Path) -> None:
    """Keep the dependencies of a bundle that was replaced, in place of those kept before."""
    if not (old / _VENDOR).is_dir():
        return
    shutil.rmtree(spare, ignore_errors=True)
    with contextlib.suppress(OSError):  # on another file system there is nothing to win
        (old / _VENDOR).rename(spare)


def take_spare(
    spare: Path, parts: Iterable[Part], target: Path, digests: dict[Identity, str]
) -> bool:
    """Make ``target`` of what was kept, where that is exactly what ``parts`` are.

    :param digests: gets what is known of the files, for sealing.
    """
    wanted: dict[str, FinishedFile] = {}
    for part in parts:
        for file in part.files:
            wanted.setdefault(file.name, file)
    found = _known(spare, wanted)
    if found is None or target.exists():  # an attempt before this one has begun it
        return False
    spare.rename(target)
    digests.update(found)
    return True


def _known(spare: Path, wanted: dict[str, FinishedFile]) -> dict[Identity, str] | None:
    """Digests of the files there; ``None`` where one is missing, too many, or was written into."""
    found: dict[Identity, str] = {}
    count = 0
    try:
        for count, (name, entry) in enumerate(tree_files(spare), 1):  # noqa: B007  # it is counted
            status, file = entry.stat(follow_symlinks=False), wanted.get(name)
            if file is None or (status.st_size, status.st_mtime_ns) != (file.size, file.mtime):
                return None
            found[identity_of(status)] = file.sha256
    except OSError:
        return None
    return found if count == len(wanted) else None
