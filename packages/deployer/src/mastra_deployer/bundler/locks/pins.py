"""Versions that a lock gives, for names that something else asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform
from mastra_deployer.bundler.locks.lock_source import Wanted, allowed_hashes, drifted
from mastra_deployer.bundler.resolve.markers import holds, marker_environment

__all__ = ("Pins",)


@dataclasses.dataclass(kw_only=True)
class Pins:
    """The packages of a lock: they apply to what is needed, and ask for nothing themselves.

    :param name: of the lock, for errors.
    :param update: the command that makes it.
    """

    name: str
    update: str
    versions: dict[str, list[tuple[str, str]]] = dataclasses.field(default_factory=dict)
    hashes: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)

    def add(self, name: str, version: str, marker: str, hashes: list[str]) -> None:
        """A package; one with several versions has markers that say which is for what."""
        self.versions.setdefault(canonicalize_name(name), []).append((version, marker))
        self.hashes.append((name, hashes))

    def wanted(
        self, lines: Sequence[str], located: Mapping[str, str], platform: Platform
    ) -> Wanted:
        """The lines, held to this lock on the target.

        :param located: ``@ address`` of what comes from elsewhere than an index.
        :raises BuildError: when the lock lacks a line's package, or has another version of it.
        """
        for line in lines:
            self.check(line, located, platform)
        pinned = (self._constraints(name, located, platform) for name in sorted(self.versions))
        return Wanted(
            lines=tuple(lines),
            constraints=tuple(line for group in pinned for line in group),
            hashes=allowed_hashes(self.hashes),
        )

    def check(self, line: str, located: Mapping[str, str], platform: Platform) -> None:
        """Stop when a line asks for what is not here.

        :raises BuildError: when the lock lacks its package, or has another version of it.
        """
        try:
            item = Requirement(line)
        except InvalidRequirement:
            return
        environment = {**marker_environment(platform), "extra": ""}
        if item.marker is not None and not item.marker.evaluate(environment):
            return
        name = canonicalize_name(item.name)
        fitting = self._fitting(name, platform)
        if not fitting:
            kind = "for the target" if name in self.versions else "at all"
            raise drifted(self.name, f"it has no {name!r} {kind}", self.update)
        if name not in located and not item.specifier.contains(fitting[0], prereleases=True):
            raise drifted(self.name, f"it has {name} {fitting[0]}, not {line!r}", self.update)

    def _constraints(
        self, name: str, located: Mapping[str, str], platform: Platform
    ) -> Iterable[str]:
        if place := located.get(name):
            return [f"{name} {place}"]
        fitting = self._fitting(name, platform)
        if len(set(fitting)) > 1:
            raise BuildError(
                f"{self.name} has several versions of {name!r} for {platform}: "
                f"{', '.join(sorted(set(fitting)))}.",
                f"Make it again with a current version of its tool: `{self.update}`.",
            )
        return [f"{name}=={version}" for version in fitting[:1]]

    def _fitting(self, name: str, platform: Platform) -> list[str]:
        found = self.versions.get(name, [])
        fitting = [version for version, marker in found if not marker or holds(marker, platform)]
        # A package whose markers are not met is not needed there; if it is, any one will do.
        return fitting or [version for version, _ in found[:1] if len(found) == 1]
