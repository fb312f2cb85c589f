"""The dependencies of a bundle: which of them ship, taken from the store or put there first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform, Report
from mastra_core.pipeline.file_tree import Identity
from mastra_deployer.bundler.resolve.closure import Closure
from mastra_deployer.bundler.resolve.packages import Package, packages_of
from mastra_deployer.bundler.vendor.distributions import Distribution
from mastra_deployer.bundler.vendor.install import Installed, install
from mastra_deployer.bundler.vendor.prune import Needs
from mastra_deployer.bundler.vendor.vendor_reuse import take_spare
from mastra_deployer.bundler.vendor.wheel_store import (
    Making,
    Part,
    assemble,
    make_parts,
    part_place,
    read_part,
)
from mastra_deployer.files.checksummed import read_sealed, write_sealed
from mastra_deployer.files.directories import cache_directory, cache_writing
from mastra_deployer.files.temporary import discard, scratch_directory, sweep
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("Vendored", "vendor")

_TRIES = 4  # a damaged part is made again; other builds may find it damaged at the same time


class Vendored(msgspec.Struct, frozen=True, kw_only=True):
    """What ships of the dependencies.

    :param parts: by canonical name.
    :param have: every distribution of the closure by canonical name.
    :param dropped: those of them that do not ship, with the reason.
    :param requirers: who asks for each; an empty name is the project itself, or its target.
    :param digests: SHA-256 by identity of each file that was laid out.
    """

    parts: dict[str, Part]
    have: dict[str, Distribution]
    dropped: dict[str, str]
    requirers: dict[str, tuple[str, ...]]
    digests: dict[Identity, str]


def vendor(
    closure: Closure,
    platform: Platform,
    keep: frozenset[str],
    interpreter: Interpreter | None,
    target: Path,
    spare: Path,
    report: Report,
) -> Vendored:
    """Lay the dependencies out in ``target``.

    :param keep: canonical names that are never pruned, beside the direct ones.
    :param interpreter: of the target's version, for bytecode; without one there is none.
    :param spare: dependencies that the bundle before left behind, if any.
    """
    vendoring = _Vendoring(closure, platform, keep, interpreter, report)
    for _ in range(_TRIES):
        parts = vendoring.parts()
        digests: dict[Identity, str] = {}
        whole = [part for part in parts.values() if part is not None]
        if len(whole) == len(parts) and take_spare(spare, whole, target, digests):
            return vendoring.result(whole, digests)
        laid = [
            part
            for place, part in parts.items()
            if part is not None and assemble(place, part, target, digests)
        ]
        if len(laid) == len(parts):
            return vendoring.result(laid, digests)
        damaged = [place for place, part in parts.items() if part not in laid]
        for place in damaged:
            discard(place)
    raise BuildError(
        f"mastra's cache {str(damaged[0])!r} is damaged again and again.",
        "Check the disk, or set MASTRA_CACHE_DIR to another directory.",
    )


class _Vendoring:
    """One closure on its way from a lock to parts."""

    def __init__(
        self,
        closure: Closure,
        platform: Platform,
        keep: frozenset[str],
        interpreter: Interpreter | None,
        report: Report,
    ) -> None:
        self._closure, self._direct = closure, closure.direct
        self._packages = packages_of(closure, platform)
        self._platform, self._keep = platform, keep
        self._interpreter, self._report = interpreter, report
        self._have: dict[str, Distribution] = {}
        self._dropped: dict[str, str] = {}

    def parts(self) -> dict[Path, Part | None]:
        """Every part that ships by its place; what the store lacks is installed and made.

        There is none where another build found it damaged, and took it away again.
        """
        for kind in ("parts", "facts", "wheels"):
            sweep(cache_directory(kind))
        with cache_writing(), contextlib.ExitStack() as self._scratch:
            installed = self._learn()
            places = self._places()
            missing = [key for key, place in places.items() if read_part(place) is None]
            rest = [item for item in self._packages if item.key in set(missing) - installed.keys()]
            installed |= self._install(rest)
            self._make({key: places[key] for key in missing}, installed)
        return {place: read_part(place) for place in places.values()}

    def result(self, parts: Iterable[Part], digests: dict[Identity, str]) -> Vendored:
        """All that is known in the end."""
        return Vendored(
            parts={part.name: part for part in parts},
            have=self._have,
            dropped=self._dropped,
            requirers=self._needs.requirers(),
            digests=digests,
        )

    def _learn(self) -> dict[str, Installed]:
        """Read what is known of each package; what is not has to be installed to be known."""
        known = {item.key: _facts_of(item.key) for item in self._packages}
        unknown = [item for item in self._packages if known[item.key] is None]
        installed = self._install(unknown)
        known |= _keep_facts([item.key for item in unknown], installed)
        self._have = {item.name: item for facts in known.values() for item in facts or ()}
        self._needs = Needs(self._have, self._direct, self._platform)
        self._dropped = self._needs.unneeded(self._keep)
        self._known = known
        return installed

    def _places(self) -> dict[str, Path]:
        """Where the parts that ship lie, by key of the package, in the order of their names."""
        shipped = sorted(
            (item.name, key)
            for key, facts in self._known.items()
            for item in facts or ()
            if item.name not in self._dropped
        )
        return {
            key: part_place(key, self._interpreter, whole=name in self._keep)
            for name, key in shipped
        }

    def _install(self, packages: Sequence[Package]) -> dict[str, Installed]:
        if not packages:
            return {}
        self._report.step("Installing dependencies")
        scratch = self._scratch.enter_context(scratch_directory(cache_directory("parts")))
        return install(packages, self._closure, self._platform, scratch)

    def _make(self, places: Mapping[str, Path], installed: Mapping[str, Installed]) -> None:
        if not places:
            return
        self._report.step("Compiling dependencies")
        making = [
            Making(item=item, tree=tree, place=place, whole=item.name in self._keep)
            for key, place in places.items()
            for tree, item in (installed[key],)
        ]
        make_parts(making, self._interpreter)


_Facts = tuple[Distribution, ...]  # none, where the target has no use for the package


def _facts_of(key: str) -> _Facts | None:
    return read_sealed(_facts_file(key), _Facts)


def _keep_facts(keys: Sequence[str], installed: Mapping[str, Installed]) -> dict[str, _Facts]:
    if not keys:
        return {}
    kept: dict[str, _Facts] = {}
    with scratch_directory(cache_directory("facts")) as scratch:
        for key in keys:
            found = installed[key][1:] if key in installed else ()
            kept[key] = tuple(msgspec.structs.replace(item, files=()) for item in found)
            write_sealed(_facts_file(key), kept[key], scratch)
    return kept


def _facts_file(key: str) -> Path:
    return cache_directory("facts") / f"{key[:32]}.json"
