"""The build: the app, staged for one platform."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from mastra_core.pipeline.file_tree import Identity, lay_out
from mastra_core.pipeline.manifest import BundleManifest
from mastra_core.pipeline.target import Platform

__all__ = ("Build",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Build:
    """The app, its dependencies and a manifest without a target, in one directory.

    The directory holds ``index.py`` (the launcher), ``app/``, ``vendor/`` and, where there are
    console scripts, ``bin/``. Copy from it, or move it as a whole; never change it.

    :param directory: the staged files.
    :param platform: the Python version and the wheels it was staged for.
    :param manifest: the facts of the build; its ``target`` is empty.
    :param digests: SHA-256 in hexadecimal of files whose content is known already, so that
        ``Bundle.seal`` does not read them again.
    """

    directory: Path
    platform: Platform
    manifest: BundleManifest
    digests: Mapping[Identity, str] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def app(self) -> str:
        """ASGI import string (``mastra_asgi:app``); a deployer needs to know nothing else."""
        return self.manifest.app

    def copy_to(self, directory: Path) -> None:
        """Copy the whole build to ``directory``.

        Files may be hard links: replace a file, never write into it.

        :param directory: a directory, which may exist.
        """
        lay_out(self.directory, directory)

    def move_to(self, directory: Path) -> None:
        """Move the whole build to ``directory``, which is faster than ``copy_to``.

        On another file system the build is copied.

        :param directory: an empty directory.
        """
        try:
            self.directory.rename(directory)
        except OSError:
            self.copy_to(directory)
