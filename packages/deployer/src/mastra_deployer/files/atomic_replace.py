"""Puts a finished directory in the place of the old one, at one stroke."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

from mastra_core.errors import BundleError
from mastra_core.pipeline import MANIFEST

__all__ = ("needs_repair", "repair", "scratch_parent", "swap")

_AT_FDCWD = -100
_EXCHANGE = 2


def swap(made: Path, place: Path) -> None:
    """``made`` becomes ``place``; whoever looks sees the old one or the new one, never half.

    Where the system can exchange two names, the old one is at ``made`` afterwards.

    :raises BundleError: when ``place`` holds something that is not ours, or cannot be written;
        the old one is then untouched.
    """
    if place.exists() and any(place.iterdir()) and not (place / MANIFEST).exists():
        raise BundleError(
            f"{str(place)!r} is not a bundle of ours, and would be replaced.",
            "Move it away, or choose another directory with --output.",
        )
    try:
        _put(made, place)
    except OSError as error:
        raise BundleError(
            f"{str(place)!r} cannot be replaced: {error.strerror}; the old bundle still stands.",
            "Check the owner of the directory above it.",
        ) from None


def repair(place: Path) -> None:
    """Finish a swap that was killed between two renames: bring the old directory back."""
    if needs_repair(place):
        backup = _backup(place)
        if place.exists():
            shutil.rmtree(backup, ignore_errors=True)
        else:
            backup.rename(place)


def needs_repair(place: Path) -> bool:
    """Whether a swap of ``place`` was killed, or is under way."""
    return (_backup(place) / MANIFEST).exists()


def scratch_parent(place: Path, preferred: Path) -> Path:
    """Where to make what will become ``place``: only the same file system can be renamed from."""
    place.parent.mkdir(parents=True, exist_ok=True)
    same = place.parent.stat().st_dev == preferred.stat().st_dev
    return preferred if same else place.parent


def _put(made: Path, place: Path) -> None:
    if not place.exists():
        made.rename(place)
    elif not _exchanged(made, place):
        backup = _backup(place)
        place.rename(backup)
        try:
            made.rename(place)
        except OSError:
            backup.rename(place)
            raise
        shutil.rmtree(backup, ignore_errors=True)


def _exchanged(made: Path, place: Path) -> bool:
    """Linux exchanges two names in one system call, where the file system can."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    done = libc.renameat2(_AT_FDCWD, os.fsencode(made), _AT_FDCWD, os.fsencode(place), _EXCHANGE)
    return bool(done == 0)


def _backup(place: Path) -> Path:
    return place.with_name(f".{place.name}.mastra-swap")
