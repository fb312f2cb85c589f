"""Keep files that an app wrote into its bundle, before a new bundle replaces it."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator
from pathlib import Path

from mastra_core.pipeline import MANIFEST, Project, Report
from mastra_core.pipeline.file_tree import iter_files
from mastra_deployer.files.refuse_links import refuse_links

__all__ = ("WRITTEN_DIRECTORY", "keep_written_files")

WRITTEN_DIRECTORY = ".mastra-written"
_MAX_SHOWN = 3


def keep_written_files(project: Project, old: Path, new: Path, report: Report) -> None:
    """Copy the files that an app wrote into its bundle to ``.mastra-written`` of the project.

    A running app may have the files open, so the copies are hard links if possible.

    :param project: the app.
    :param old: the bundle that is about to be replaced; may be missing.
    :param new: the bundle that replaces ``old``.
    :param report: receives a note that names the files.
    """
    names = sorted(_iter_written_files(old, new))
    if not names:
        return
    directory = _choose_directory(project.root / WRITTEN_DIRECTORY)
    refuse_links(project.root, directory)
    for name in names:
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(old / name)
        except OSError:
            shutil.copy2(old / name, target)
    more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    report.note(
        f"The app wrote {', '.join(names[:_MAX_SHOWN])}{more} into its bundle, which this build "
        f"replaces. These files are now in {str(directory)!r}.",
        "Let the app write outside of the bundle. A relative path starts at the project's "
        "directory.",
    )


def _iter_written_files(old: Path, new: Path) -> Iterator[str]:
    """Yield the files that are newer than the old bundle and different in the new bundle."""
    try:
        made = (old / MANIFEST).stat().st_mtime_ns
    except OSError:
        return
    for name, entry in iter_files(old):
        if not entry.is_file(follow_symlinks=False) or name.endswith(".pyc"):
            continue
        is_newer = entry.stat().st_mtime_ns > made
        if is_newer and not _is_same(Path(entry.path), new / name):
            yield name


def _is_same(file: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(file, other, shallow=False)


def _choose_directory(parent: Path) -> Path:
    """Return the first path that does not exist yet, so that earlier files are kept."""
    numbers = (int(path.name) for path in parent.glob("*") if path.name.isdigit())
    return parent / str(max(numbers, default=0) + 1)
