"""Record which parts ship in a build, and why; ``--explain`` reads the record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mastra_core.pipeline import BundleManifest, Platform, Problem, Project
from mastra_deployer.files.checksummed_json import read_checksummed_json, write_checksummed_json
from mastra_deployer.files.directories import get_local_file

if TYPE_CHECKING:  # a command that only reads an inventory needs no bundler
    from mastra_deployer.bundler.sources.app_sources import AppSources
    from mastra_deployer.bundler.vendor.vendor import VendoredDependencies

__all__ = (
    "Inventory",
    "InventoryEntry",
    "create_inventory",
    "read_inventory",
    "update_inventory",
    "write_inventory",
)


class InventoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One distribution that the app or a dependency requires.

    :param version: the version of the distribution.
    :param requirers: the requirers of the distribution; an empty name means the project or target.
    :param tops: names of the distribution's modules and packages at the top level.
    :param reason: why the distribution does not ship; empty if it ships.
    :param size: the size of the files that ship, in bytes.
    :param dropped: the distribution's files that do not ship, by reason.
    """

    version: str
    requirers: tuple[str, ...] = ()
    tops: tuple[str, ...] = ()
    reason: str = ""
    size: int = 0
    dropped: dict[str, tuple[str, ...]] = {}


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of one build.

    :param app: paths of the app's files that ship, relative to the project's root.
    :param dropped: names of the app's files that do not ship, with the reasons.
    :param distributions: the app's direct and indirect dependencies, by canonical name.
    :param problems: modules that the code imports and files that it opens, but that the build does
        not contain.
    :param fingerprint: the fingerprint of the build.
    :param included: files outside of the app's packages that ship, each with the reason.
    :param modules: number of the dependencies' modules; 0 unless only imported modules have
        bytecode.
    :param compiled: number of the dependencies' modules that have bytecode.
    """

    app: tuple[str, ...]
    dropped: dict[str, str]
    distributions: dict[str, InventoryEntry]
    problems: tuple[Problem, ...] = ()
    fingerprint: str = ""
    included: dict[str, str] = {}
    modules: int = 0
    compiled: int = 0

    @property
    def left_out(self) -> dict[str, str]:
        """The distributions that do not ship, with the reasons."""
        return {name: item.reason for name, item in self.distributions.items() if item.reason}


def create_inventory(
    sources: AppSources,
    dependencies: VendoredDependencies,
    problems: Sequence[Problem],
    fingerprint: str,
) -> Inventory:
    """Create the inventory of a build.

    :param sources: the app's own files.
    :param dependencies: the app's dependencies.
    :param problems: modules that the code imports and files that it opens, but that the build does
        not contain.
    :param fingerprint: the fingerprint of the build.
    """
    empty = Inventory(
        app=tuple(sources.files),
        dropped=dict(sources.dropped),
        distributions={},
        problems=tuple(problems),
        fingerprint=fingerprint,
        included=dict(sources.included),
    )
    return update_inventory(empty, dependencies)


def update_inventory(inventory: Inventory, dependencies: VendoredDependencies) -> Inventory:
    """Return a copy of an inventory with other dependencies.

    :param inventory: the inventory to copy.
    :param dependencies: the dependencies.
    """
    bytecode, names = dependencies.bytecode, sorted(dependencies.distributions)
    return msgspec.structs.replace(
        inventory,
        distributions={name: _create_entry(name, dependencies) for name in names},
        modules=bytecode.modules,
        compiled=sum(map(len, bytecode.files.values())),
    )


def write_inventory(project: Project, platform: Platform, inventory: Inventory) -> None:
    """Save the inventory of a build; the next build for the same platform replaces it.

    :param project: the app.
    :param platform: the platform of the build.
    :param inventory: the inventory to save.
    """
    file = _get_inventory_file(project, platform.python, platform.wheels)
    write_checksummed_json(file, inventory)


def read_inventory(project: Project, manifest: BundleManifest) -> Inventory | None:
    """Load the inventory of the app's last build for a platform, or return ``None``.

    :param project: the app.
    :param manifest: the manifest of the bundle.
    """
    return read_checksummed_json(
        _get_inventory_file(project, manifest.python, manifest.wheels), Inventory
    )


def _create_entry(name: str, dependencies: VendoredDependencies) -> InventoryEntry:
    distribution, wheel = dependencies.distributions[name], dependencies.wheels.get(name)
    return InventoryEntry(
        version=distribution.version,
        requirers=dependencies.requirers.get(name, ()),
        tops=distribution.tops,
        reason=dependencies.dropped.get(name, ""),
        size=wheel.size if wheel else 0,
        dropped=wheel.dropped if wheel else {},
    )


def _get_inventory_file(project: Project, python: str, wheels: str) -> Path:
    return get_local_file(project, "builds", f"{wheels}-{python}.json")
