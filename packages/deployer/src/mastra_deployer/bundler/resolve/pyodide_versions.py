"""Choose versions that have a wheel for Pyodide.

uv does not know the tags of Pyodide's wheels and resolves the newest versions. Therefore this
module excludes versions without a wheel, and lets uv resolve again. If the project's indexes have
no wheel of a package, the package may come from another index, such as Pyodide's own.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from mastra_core.errors import BuildError, MastraError
from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.annotations import PROJECT, Annotation
from mastra_deployer.bundler.resolve.index_pages import read_wheel_versions
from mastra_deployer.bundler.resolve.pyodide import list_unfit
from mastra_deployer.bundler.resolve.toml_strings import quote
from mastra_deployer.bundler.resolve.unneeded_requirements import (
    find_unneeded_requirements,
    list_unneeded_names,
)
from mastra_deployer.bundler.resolve.wheel_tags import is_compatible
from mastra_deployer.project.uv import is_unsolvable

__all__ = ("PyodideVersions",)

_MAX_STEPS = 30  # resolutions
_INDEX_NAME = "mastra-platform"


@dataclasses.dataclass(kw_only=True)
class PyodideVersions:
    """Finds the versions of one project's dependencies that have a wheel for Pyodide.

    :param platform: the platform to build for.
    :param direct: canonical names that the project requires or imports itself.
    :param compile_lock: a function that runs uv with the given further arguments, and returns the
        lock.
    :param annotate: a function that runs uv with the given further arguments, and returns uv's
        annotations.
    :param directory: the directory in which to write the files that uv's arguments name.
    :param single_index: ``False`` if a package may have versions that are not on the index that uv
        reports.
    """

    platform: Platform
    direct: frozenset[str]
    compile_lock: Callable[[Sequence[str]], str]
    annotate: Callable[[Sequence[str]], Mapping[str, Annotation]]
    directory: Path
    single_index: bool = True

    def __post_init__(self) -> None:
        self._unneeded: list[str] = []
        self._limits: dict[str, str] = {}
        self._foreign: set[str] = set()
        self._read_foreign = functools.cache(self._read_platform_index)

    def remove_unneeded(self, newest: str, names: Iterable[str]) -> str:
        """Return the lock without requirements that the platform does not need.

        :param newest: the lock with the newest versions.
        :param names: canonical names in the lock.
        """
        if not list_unneeded_names(self.platform).intersection(names):
            return newest
        requirers = {
            name: self._drop_unnamed(annotation.requirers)
            for name, annotation in self.annotate(()).items()
        }
        self._unneeded = find_unneeded_requirements(requirers, self.direct, self.platform)
        return self.compile_lock(self.arguments) if self._unneeded else newest

    def find(self, newest: str) -> str:
        """Return a lock in which every package has a wheel, or ``newest`` if there is none.

        :param newest: the lock with the newest versions.
        :raises BuildError: when uv fails.
        """
        text = newest
        for _ in range(_MAX_STEPS):
            unfit = list_unfit(text, self.platform)
            if not unfit:
                return text
            self._exclude(unfit)
            try:
                text = self.compile_lock(self.arguments)
            except BuildError as error:
                if not is_unsolvable(error):
                    raise
                break
        return newest

    @property
    def arguments(self) -> list[str]:
        """Arguments for uv that exclude or limit the packages that the search found so far."""
        arguments = []
        if self._unneeded:
            # A marker that is never true removes the package from the resolution.
            lines = (f"{name} ; python_version < '0'" for name in self._unneeded)
            arguments += ["--override", self._write("unneeded.txt", lines)]
        if self._limits:
            arguments += ["--constraint", self._write("limits.txt", self._limits.values())]
            arguments += [flag for name in self._limits for flag in ("--only-binary", name)]
        if self._foreign:
            (self.directory / "foreign").mkdir(exist_ok=True)
            arguments += [self._write("foreign/pyproject.toml", self._format_foreign())]
        return arguments

    def _drop_unnamed(self, requirers: frozenset[str]) -> frozenset[str]:
        """Remove the project from the requirers if there are other requirers.

        The lines of a lock file make the project a requirer of each package in it.
        """
        return requirers - {PROJECT} or requirers

    def _exclude(self, unfit: Sequence[tuple[str, str]]) -> None:
        """Exclude the versions without a wheel, or take the package from another index."""
        indexes = {name: item.index_url for name, item in self.annotate(self.arguments).items()}
        for name, version in unfit:
            own = self._read_own(indexes.get(name, ""), name)
            older = {item for item in own or () if item < Version(version)}
            foreign = self._read_foreign(name)
            # Unknown versions are tried while they are newer than those on the platform's index.
            newest_own = max(older, default=None) if own is not None else Version(version)
            if foreign and (newest_own is None or max(foreign) >= newest_own):
                self._foreign.add(name)
                self._limits.pop(name, None)
            elif own is None:
                self._limits[name] = f"{name}<{version}"
            else:
                self._limits[name] = f"{name}<={max(older)}" if older else f"{name}<0"

    def _read_own(self, index: str, name: str) -> set[Version] | None:
        """Return the matching versions on a package's index; ``None`` if only uv can find them."""
        if not index or not self.single_index:
            return None
        try:
            return self._find_fitting(read_wheel_versions(index, name))
        except MastraError:
            return None

    def _read_platform_index(self, name: str) -> set[Version]:
        """Return the matching versions of a package from the platform's own package index."""
        index = self.platform.index
        return self._find_fitting(read_wheel_versions(index, name)) if index else set()

    def _find_fitting(self, wheels: Mapping[Version, Sequence[str]]) -> set[Version]:
        return {
            version
            for version, names in wheels.items()
            if not version.is_prerelease and any(is_compatible(n, self.platform) for n in names)
        }

    def _format_foreign(self) -> list[str]:
        """Return the lines of a pyproject.toml that takes packages from the platform's index."""
        names = sorted(self._foreign)
        return [
            "[project]",
            f'name = "{_INDEX_NAME}"',
            'version = "0"',
            f'requires-python = ">={self.platform.python}"',
            f"dependencies = {json.dumps(names)}",
            "[tool.uv.sources]",
            *(f'{name} = {{ index = "{_INDEX_NAME}" }}' for name in names),
            "[[tool.uv.index]]",
            f'name = "{_INDEX_NAME}"',
            f"url = {quote(self.platform.index)}",
            "explicit = true",
        ]

    def _write(self, name: str, lines: Iterable[str]) -> str:
        path = self.directory / name
        path.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")
        return str(path)
