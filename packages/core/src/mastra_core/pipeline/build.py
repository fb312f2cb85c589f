"""The build: an app that is staged for one platform."""

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
    """One directory with an app, its dependencies and a manifest, for all targets of a platform.

    The directory holds ``index.py`` (the launcher), ``app/``, ``vendor/`` and, if there are console
    scripts, ``bin/``. A deployer may copy files from the directory, or move the whole directory,
    but must never change its files.

    :param directory: the staged files.
    :param platform: the Python version and the wheel platform that the build was staged for.
    :param manifest: describes the build; ``manifest.target`` is empty until ``mastra_bundle`` makes
        a bundle of the build.
    :param digests: SHA-256 in hexadecimal of files whose content is known already, so that
        ``Bundle.seal`` does not read them again.
    :param imported: paths, relative to ``directory``, of the bytecode files of modules that the app
        imports. To make a bundle smaller, a deployer first leaves out the bytecode of modules that
        are not imported.
    :param standard: dotted names of the modules of the standard library that the app imports.
    """

    directory: Path
    platform: Platform
    manifest: BundleManifest
    digests: Mapping[Identity, str] = dataclasses.field(default_factory=dict, repr=False)
    imported: frozenset[str] = dataclasses.field(default=frozenset(), repr=False)
    standard: frozenset[str] = dataclasses.field(default=frozenset(), repr=False)

    @property
    def app(self) -> str:
        """The ASGI import string (``mastra_asgi:app``), by which every deployer imports the app."""
        return self.manifest.app

    def copy_to(self, directory: Path) -> None:
        """Copy the whole build to ``directory``.

        The files may be hard links, so replace a file instead of writing into it.

        :param directory: a directory, which may exist.
        """
        lay_out(self.directory, directory)

    def move_to(self, directory: Path) -> None:
        """Move the whole build to ``directory``; moving is faster than ``copy_to``.

        If ``directory`` is on another file system, the build is copied.

        :param directory: an empty directory.
        """
        try:
            self.directory.rename(directory)
        except OSError:
            self.copy_to(directory)
