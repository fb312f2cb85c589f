"""Check a bundle against size limits."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from mastra_core.pipeline import Problem, measure_files
from mastra_deployer.kit.files.archive import write_zip
from mastra_deployer.kit.files.archive_entries import iter_entries

__all__ = ("check_compressed_size", "check_size", "format_largest")

_MAX_PARTS = 10  # in the hint


def check_size(sizes: Mapping[str, int], limit: int, name: str) -> Problem | None:
    """Return an error with the ten largest parts if a bundle is too large, or else ``None``.

    :param sizes: the size of each part in bytes, as in ``BundleManifest.sizes``.
    :param limit: the largest number of bytes of all parts; 0 for no limit.
    :param name: what has the limit, such as the target's name; the message names it.
    """
    total = sum(sizes.values())
    if not limit or total <= limit:
        return None
    return Problem(
        message=f"The bundle has {total / 1e6:.1f} MB, but {name} allows {limit / 1e6:.1f} MB.",
        hint=f"The largest parts are: {format_largest(sizes)}.",
    )


def check_compressed_size(
    directory: Path, sizes: Mapping[str, int], limit: int, name: str
) -> Problem | None:
    """Return an error if a directory is too large as a zip, or else ``None``.

    The directory is compressed only if its files exceed the limit, because compressing 40 MB takes
    about one second.

    :param directory: the directory that is uploaded as an archive.
    :param sizes: the size of each part in bytes before compression, as in ``BundleManifest.sizes``.
    :param limit: the largest number of bytes of the zip; 0 for no limit.
    :param name: what has the limit, such as the target's name; the message names it.
    """
    if not limit or measure_files(directory) <= limit:
        return None
    with tempfile.TemporaryFile() as file:
        write_zip(iter_entries(directory, keep_links=True), file)
        total = file.tell()
    if total <= limit:
        return None
    return Problem(
        message=f"The bundle has {total / 1e6:.1f} MB compressed, but {name} allows "
        f"{limit / 1e6:.1f} MB.",
        hint=f"The largest parts before compression are: {format_largest(sizes)}.",
    )


def format_largest(sizes: Mapping[str, int]) -> str:
    """Return a text with the ten largest parts and their sizes.

    :param sizes: the size of each part in bytes, by the part's name.
    """
    parts = sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))[:_MAX_PARTS]
    return ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in parts)
