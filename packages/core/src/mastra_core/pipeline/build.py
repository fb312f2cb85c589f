"""The app, staged for one platform."""

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

    The directory holds ``index.py`` (the launcher), ``app/`` and ``vendor/``. Copy from it, or
    move it as a whole; never change it.

    :param digests: SHA-256 of files whose content is known already, as hex. Sealing a bundle
        reads none of them again.
    """

    directory: Path
    platform: Platform
    manifest: BundleManifest
    digests: Mapping[Identity, str] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def app(self) -> str:
        """ASGI import string: all a deployer needs to know of the app."""
        return self.manifest.app

    def copy_to(self, directory: Path) -> None:
        """Lay the whole build out in ``directory``, which may exist.

        Files may be hard links: replace one, never write into it.
        """
        lay_out(self.directory, directory)

    def move_to(self, directory: Path) -> None:
        """Move the whole build to ``directory``, an empty one: sooner done than ``copy_to``.

        Where they lie on two file systems it is copied.
        """
        try:
            self.directory.rename(directory)
        except OSError:
            self.copy_to(directory)
