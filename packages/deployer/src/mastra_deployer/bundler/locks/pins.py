"""Apply the versions of a lock to requirements in other files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform
from mastra_deployer.bundler.locks.lock_source import (
    ResolverInput,
    build_drift_error,
    collect_hashes,
)
from mastra_deployer.bundler.resolve.markers import build_marker_environment, evaluate_marker

__all__ = ("Pins",)


@dataclasses.dataclass(kw_only=True)
class Pins:
    """The versions of a lock as constraints, which fix versions but install no package.

    :param name: the name of the lock, for errors.
    :param update: the command that updates the lock.
    :param versions: pairs of version and marker by canonical name.
    :param hashes: pairs of a package's name and its hashes.
    """

    name: str
    update: str
    versions: dict[str, list[tuple[str, str]]] = dataclasses.field(default_factory=dict)
    hashes: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)

    def add(self, name: str, version: str, marker: str, hashes: list[str]) -> None:
        """Add a version of a package. A package can have several versions with different markers.

        :param name: the name of the package.
        :param version: locked version.
        :param marker: where the version applies; empty for everywhere.
        :param hashes: the ``algorithm:digest`` of each file of the package.
        """
        self.versions.setdefault(canonicalize_name(name), []).append((version, marker))
        self.hashes.append((name, hashes))

    def to_resolver_input(
        self, lines: Sequence[str], addresses: Mapping[str, str], platform: Platform
    ) -> ResolverInput:
        """Return requirement lines for a platform, with the versions of this lock.

        :param lines: the requirements.
        :param addresses: ``@ URL`` of packages that do not come from an index.
        :param platform: the platform of the target.
        :raises BuildError: when the lock lacks a required package, or has a version that does not
            match.
        """
        for line in lines:
            self.check(line, addresses, platform)
        pinned = (
            self._build_constraints(name, addresses, platform) for name in sorted(self.versions)
        )
        return ResolverInput(
            lines=tuple(lines),
            constraints=tuple(line for group in pinned for line in group),
            hashes=collect_hashes(self.hashes),
        )

    def check(self, line: str, addresses: Mapping[str, str], platform: Platform) -> None:
        """Check that the lock fulfils a requirement.

        :param line: the requirement.
        :param addresses: ``@ URL`` of packages that do not come from an index.
        :param platform: the platform of the target.
        :raises BuildError: when the lock does not have the package, or has a version that does not
            match.
        """
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            return
        environment = {**build_marker_environment(platform), "extra": ""}
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            return
        name = canonicalize_name(requirement.name)
        versions = self._select_versions(name, platform)
        if not versions:
            kind = "for the target" if name in self.versions else "at all"
            raise build_drift_error(self.name, f"it has no {name!r} {kind}", self.update)
        if name not in addresses and not requirement.specifier.contains(
            versions[0], prereleases=True
        ):
            raise build_drift_error(
                self.name, f"it has {name} {versions[0]}, not {line!r}", self.update
            )

    def _build_constraints(
        self, name: str, addresses: Mapping[str, str], platform: Platform
    ) -> Iterable[str]:
        if address := addresses.get(name):
            return [f"{name} {address}"]
        versions = self._select_versions(name, platform)
        if len(set(versions)) > 1:
            raise BuildError(
                f"{self.name} has several versions of {name!r} for {platform}: "
                f"{', '.join(sorted(set(versions)))}.",
                f"Recreate the lock with a current version of its tool: `{self.update}`.",
            )
        return [f"{name}=={version}" for version in versions[:1]]

    def _select_versions(self, name: str, platform: Platform) -> list[str]:
        candidates = self.versions.get(name, [])
        versions = [
            version
            for version, marker in candidates
            if not marker or evaluate_marker(marker, platform)
        ]
        # If every marker is false, the lock does not need the package. If the project needs it all
        # the same, its only version is used.
        return versions or [version for version, _ in candidates[:1] if len(candidates) == 1]
