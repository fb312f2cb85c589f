"""Turn a build into the directory that <<title>> runs."""

from __future__ import annotations

from pathlib import Path

from mastra_core.pipeline import Build, Bundle

__all__ = ("create_bundle",)


def create_bundle(build: Build, directory: Path) -> Bundle:
    """Copy the build unchanged, because <<title>> runs `python index.py`.

    :param build: the staged app.
    :param directory: an empty directory for the bundle.
    """
    build.copy_to(directory)
    return Bundle.seal(build, directory, "<<name>>")
