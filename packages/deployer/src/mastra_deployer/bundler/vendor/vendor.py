"""Install a bundle's dependencies, from the store of wheels if possible."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform, Report
from mastra_core.pipeline.file_tree import Identity
from mastra_deployer.bundler.resolve.closure import Closure
from mastra_deployer.bundler.resolve.packages import Package, list_packages
from mastra_deployer.bundler.resolve.unneeded_requirements import find_imported_unneeded
from mastra_deployer.bundler.vendor.distributions import Distribution
from mastra_deployer.bundler.vendor.finished_files import FinishedFile
from mastra_deployer.bundler.vendor.install import Installed, install_packages
from mastra_deployer.bundler.vendor.prune import DependencyGraph
from mastra_deployer.bundler.vendor.prune_files import KeepRule, build_keep_rule
from mastra_deployer.bundler.vendor.select_bytecode import (
    BytecodeRequest,
    BytecodeSelection,
    select_bytecode,
)
from mastra_deployer.bundler.vendor.unused_requirements import find_imported_unused
from mastra_deployer.bundler.vendor.vendor_reuse import reuse_vendor_directory
from mastra_deployer.bundler.vendor.wheel_store import (
    FILES,
    PendingWheel,
    StoredWheel,
    get_wheel_path,
    link_files,
    read_stored_wheel,
    store_wheels,
)
from mastra_deployer.files.checksummed_json import read_checksummed_json, write_checksummed_json
from mastra_deployer.files.directories import convert_cache_errors, get_cache_directory
from mastra_deployer.files.temporary import (
    discard_directory,
    remove_stale_directories,
    temporary_directory,
)
from mastra_deployer.project.interpreters import Interpreter

__all__ = (
    "TRIES",
    "VendoredDependencies",
    "add_files",
    "build_damage_error",
    "vendor_dependencies",
)

TRIES = 4
"""Other builds may discard the same damaged wheel at the same time."""


class VendoredDependencies(msgspec.Struct, frozen=True, kw_only=True):
    """The dependencies that ship, and those that do not.

    :param wheels: the wheels that ship, by canonical name.
    :param distributions: every distribution of the closure by canonical name.
    :param dropped: the distributions that do not ship, with the reasons.
    :param requirers: the requirers of each distribution; an empty name means the project or target.
    :param digests: the SHA-256 of each installed file, by the identity of the file.
    :param bytecode: the bytecode of the modules; its files are also among those of ``wheels``.
    """

    wheels: dict[str, StoredWheel]
    distributions: dict[str, Distribution]
    dropped: dict[str, str]
    requirers: dict[str, tuple[str, ...]]
    digests: dict[Identity, str]
    bytecode: BytecodeSelection


def vendor_dependencies(
    closure: Closure,
    platform: Platform,
    keep: frozenset[str],
    interpreter: Interpreter | None,
    target: Path,
    previous: Path,
    report: Report,
    *,
    bytecode: BytecodeRequest,
    strip: bool = True,
    is_complete: bool = True,
) -> VendoredDependencies:
    """Put the dependencies into a directory.

    :param closure: the locked dependencies.
    :param platform: the platform to build for.
    :param keep: canonical names of distributions that are never pruned.
    :param interpreter: an interpreter of the target's version; without an interpreter, no bytecode
        is compiled.
    :param target: the directory to create.
    :param previous: the dependencies of the previous bundle; may be missing.
    :param report: receives progress and notes.
    :param bytecode: which modules have bytecode.
    :param strip: whether compiled libraries ship without symbols.
    :param is_complete: whether the code in the directory imports nothing from other directories.
        If it does, modules ship although a package that they need does not.
    :raises BuildError: when the cached files were damaged again after each repair.
    """
    vendorer = _Vendorer(
        closure,
        platform,
        keep,
        bytecode,
        interpreter,
        report,
        strip=strip,
        is_complete=is_complete,
    )
    for _ in range(TRIES):
        wheels = vendorer.ensure_wheels()
        damaged = [path for path, wheel in wheels.items() if wheel is None]
        if not damaged:
            complete = {path: wheel for path, wheel in wheels.items() if wheel is not None}
            result = vendorer.compile_wheels(complete)
            missing = _reuse_previous(previous, result, target)
            damaged = [] if missing is not None else _link_wheels(complete, target, result.digests)
            damaged += _link_bytecode(result, target, missing)
            if not damaged:
                return result
        for path in damaged:
            discard_directory(path)
    raise build_damage_error(damaged[0])


def build_damage_error(directory: Path) -> BuildError:
    """Return the error for a directory of the cache that was damaged again after each repair.

    :param directory: the directory.
    """
    return BuildError(
        f"mastra's cache {str(directory)!r} was damaged {TRIES} times in a row.",
        "Check the disk, or set MASTRA_CACHE_DIR to another directory.",
    )


def _reuse_previous(
    previous: Path, result: VendoredDependencies, target: Path
) -> frozenset[str] | None:
    """Move the dependencies of the previous bundle; return the names of missing bytecode files.

    Return ``None`` if nothing was moved.
    """
    bytecode = {
        file.name
        for stored in result.bytecode.stored.values()
        for file in stored.files.values()
        if file is not None
    }
    wheels = result.wheels.values()
    return reuse_vendor_directory(previous, wheels, target, result.digests, bytecode)


def _link_wheels(
    wheels: Mapping[Path, StoredWheel], target: Path, digests: dict[Identity, str]
) -> list[Path]:
    """Link the files of wheels; return the directories of wheels that are damaged."""
    return [
        path
        for path, wheel in wheels.items()
        if not link_files(path / FILES, wheel.files, target, digests)
    ]


def _link_bytecode(
    result: VendoredDependencies, target: Path, names: AbstractSet[str] | None
) -> list[Path]:
    """Link all bytecode files, or those with given names; return the damaged directories."""
    damaged = []
    for path, files in result.bytecode.files.items():
        chosen = [file for file in files if names is None or file.name in names]
        directory = result.bytecode.directories[path]
        if chosen and not link_files(directory, chosen, target, result.digests):
            damaged.append(directory.parent)
    return damaged


class _Vendorer:
    """Downloads and stores the wheels of one closure, the locked packages of an app."""

    def __init__(
        self,
        closure: Closure,
        platform: Platform,
        keep: frozenset[str],
        bytecode: BytecodeRequest,
        interpreter: Interpreter | None,
        report: Report,
        *,
        strip: bool,
        is_complete: bool,
    ) -> None:
        self._strip, self._is_complete = strip, is_complete
        self._closure, self._direct = closure, closure.direct
        self._packages = list_packages(closure, platform, interpreter)
        self._platform, self._keep, self._modules = platform, keep, bytecode.modules
        self._bytecode = bytecode
        self._interpreter, self._report = interpreter, report
        self._have: dict[str, Distribution] = {}
        self._dropped: dict[str, str] = {}

    def ensure_wheels(self) -> dict[Path, StoredWheel | None]:
        """Return the path of every wheel that ships; install and store missing wheels.

        A path has the value ``None`` if another build has found the stored wheel damaged and
        deleted it.
        """
        for kind in ("parts", "bytecode", "facts", "wheels"):
            remove_stale_directories(get_cache_directory(kind))
        with convert_cache_errors(), contextlib.ExitStack() as self._scratch:
            installed = self._load_facts()
            paths = self._get_paths()
            stored = {path: read_stored_wheel(path) for path in paths.values()}
            missing = [key for key, path in paths.items() if stored[path] is None]
            rest = [item for item in self._packages if item.key in set(missing) - installed.keys()]
            installed |= self._install_packages(rest)
            self._store_missing({key: paths[key] for key in missing}, installed)
        return {path: wheel or read_stored_wheel(path) for path, wheel in stored.items()}

    def compile_wheels(self, wheels: Mapping[Path, StoredWheel]) -> VendoredDependencies:
        """Compile the bytecode that ships, and return the description of the dependencies."""
        tops = {name: item.tops for name, item in self._have.items()}
        with convert_cache_errors():
            selection = select_bytecode(
                wheels, tops, self._bytecode, self._interpreter, self._report
            )
        return VendoredDependencies(
            wheels={
                wheel.name: add_files(wheel, selection.files.get(path, ()))
                for path, wheel in wheels.items()
            },
            distributions=self._have,
            dropped=self._dropped,
            requirers=self._needs.collect_requirers(),
            digests={},
            bytecode=selection,
        )

    def _load_facts(self) -> dict[str, Installed]:
        """Load the stored facts about each package; install the packages that have none."""
        known = {item.key: _read_facts(item.key) for item in self._packages}
        unknown = [item for item in self._packages if known[item.key] is None]
        installed = self._install_packages(unknown)
        known |= _save_facts([item.key for item in unknown], installed)
        self._have = {item.name: item for facts in known.values() for item in facts or ()}
        imported = find_imported_unused(self._modules)
        imported |= find_imported_unneeded(self._modules, self._platform)
        self._needs = DependencyGraph(self._have, self._direct, self._platform, imported)
        self._dropped = self._needs.find_unneeded(self._keep)
        self._rules = self._build_rules()
        self._known = known
        return installed

    def _build_rules(self) -> dict[str, KeepRule]:
        """Return the rules for the files of the distributions that ship, by canonical name.

        All modules of the app's own distributions and of mastra ship, because their errors name the
        package that a module needs.
        """
        shipped = {name: item for name, item in self._have.items() if name not in self._dropped}
        return {
            name: build_keep_rule(
                item,
                self._modules,
                shipped,
                whole=name in self._keep,
                keep_modules=name in self._bytecode.own or not self._is_complete,
            )
            for name, item in shipped.items()
        }

    def _get_paths(self) -> dict[str, Path]:
        """Return the path of each wheel that ships, by the package's key, in the order of names."""
        shipped = sorted(
            (item.name, key)
            for key, facts in self._known.items()
            for item in facts or ()
            if item.name not in self._dropped
        )
        return {
            key: get_wheel_path(key, self._rules[name], strip=self._strip) for name, key in shipped
        }

    def _install_packages(self, packages: Sequence[Package]) -> dict[str, Installed]:
        if not packages:
            return {}
        self._report.step("Installing dependencies")
        temporary = self._scratch.enter_context(temporary_directory(get_cache_directory("parts")))
        return install_packages(packages, self._closure, self._platform, temporary)

    def _store_missing(self, paths: Mapping[str, Path], trees: Mapping[str, Installed]) -> None:
        pending = [
            PendingWheel(
                distribution=item,
                tree=tree,
                path=path,
                rule=self._rules[item.name],
                strip=self._strip,
            )
            for key, path in paths.items()
            for tree, item in (trees[key],)
        ]
        store_wheels(pending)


def add_files(wheel: StoredWheel, files: Iterable[FinishedFile]) -> StoredWheel:
    """Return a copy of a wheel with further files.

    :param wheel: the wheel.
    :param files: the files to add.
    """
    return msgspec.structs.replace(wheel, files=(*wheel.files, *files))


_Facts = tuple[Distribution, ...]  # empty if the target's markers exclude the package


def _read_facts(key: str) -> _Facts | None:
    return read_checksummed_json(_get_facts_file(key), _Facts)


def _save_facts(keys: Sequence[str], trees: Mapping[str, Installed]) -> dict[str, _Facts]:
    if not keys:
        return {}
    saved: dict[str, _Facts] = {}
    with temporary_directory(get_cache_directory("facts")) as temporary:
        for key in keys:
            distributions = trees[key][1:] if key in trees else ()
            saved[key] = tuple(msgspec.structs.replace(item, files=()) for item in distributions)
            write_checksummed_json(_get_facts_file(key), saved[key], temporary)
    return saved


def _get_facts_file(key: str) -> Path:
    return get_cache_directory("facts") / f"{key[:32]}.json"
