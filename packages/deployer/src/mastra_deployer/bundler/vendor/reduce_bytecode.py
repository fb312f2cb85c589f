"""Leave out the bytecode of modules that the start and the first requests do not import.

Import statements in functions lead to all features of a package, but an app uses only a few. An
isolated start shows which features the app uses. A module without bytecode still works: Python
compiles it when it is imported.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec

from mastra_deployer.bundler.vendor.finished_files import FinishedFile
from mastra_deployer.bundler.vendor.select_bytecode import BytecodeSelection
from mastra_deployer.bundler.vendor.vendor import VendoredDependencies
from mastra_deployer.bundler.vendor.wheel_store import StoredWheel
from mastra_deployer.bytecode.import_graph_child import (
    ModuleIndex,
    ModulePlaces,
    StartWalk,
    find_broken,
)

__all__ = ("BytecodeReducer", "StartModules")

# Every app imports these names. What they lead to decides which of its features an app uses.
_BASE = ("mastra_core.Mastra", "mastra_server.create_app")
_CORE, _SERVER = "mastra-core", "mastra-server"
# Modules that name the clients of all models, and of all agent frameworks. The start imports those
# that the app's agents use.
_PROVIDER_TABLES = frozenset(
    (
        *("mastra_core.agents.adapt", "mastra_core.agents.providers"),
        *("mastra_core.agents.lazy_exports", "mastra_core.agents.pydantic_ai.models"),
        "mastra_core.agents.pydantic_ai.preload_models",
    )
)


class StartModules(msgspec.Struct, frozen=True, kw_only=True):
    """The modules that an isolated start of a bundle uses, as dotted names.

    :param imported: the modules that the start imported; empty if they are unknown.
    :param tried: the modules that the start imported or tried to import.
    :param later: the modules that the first requests import.
    :param standard: modules of the standard library that the start imported.
    :param uncompiled: the files of the modules that the start and its request imported without
        bytecode, relative to the directory of the dependencies.
    """

    imported: frozenset[str] = frozenset()
    tried: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    standard: frozenset[str] = frozenset()
    uncompiled: tuple[str, ...] = ()


class BytecodeReducer:
    """Leaves out the bytecode of modules that the app's start does not import.

    Create a reducer while the app starts, because most of the reducer's work does not need the
    result of the start.

    :param dependencies: the dependencies that ship.
    """

    def __init__(self, dependencies: VendoredDependencies) -> None:
        self._dependencies = dependencies
        selection = dependencies.bytecode
        self._wheels = dict(zip(selection.files, dependencies.wheels.values(), strict=True))
        self._imported_files = _ImportedFiles(self._wheels, selection)

    def reduce(self, start_modules: StartModules, directory: Path) -> VendoredDependencies:
        """Delete the bytecode of modules that the start and the first requests do not import.

        :param start_modules: the modules that the start in isolation imported.
        :param directory: the directory of the dependencies.
        :returns: the dependencies without the deleted bytecode.
        """
        selection = self._dependencies.bytecode
        remaining = self._imported_files.find(start_modules)
        files = {
            path: tuple(file for file in selection.files[path] if file.name in remaining)
            for path in self._wheels
        }
        removed = {file.name for each in selection.files.values() for file in each} - remaining
        _delete_files(directory, removed)
        return msgspec.structs.replace(
            self._dependencies,
            wheels={wheel.name: _remove_files(wheel, removed) for wheel in self._wheels.values()},
            bytecode=msgspec.structs.replace(selection, files=files, imported=frozenset(remaining)),
        )


class _ImportedFiles:
    """Find the bytecode of the modules that a bundle imports."""

    def __init__(self, wheels: Mapping[Path, StoredWheel], selection: BytecodeSelection) -> None:
        self._selection = selection
        self._stored = [selection.stored[path] for path in wheels]
        self._names = [wheel.name for wheel in wheels.values()]
        trees = [[file.name for file in wheel.files] for wheel in wheels.values()]
        self._modules = ModulePlaces(trees)
        self._imports = self._modules.get_imports([stored.imports for stored in self._stored])
        places, extensions = self._modules.places, self._modules.extensions
        self._index = ModuleIndex(places, extensions, sys.stdlib_module_names)
        self._broken = find_broken(self._index, self._imports)
        # Other apps may have read further modules of the same wheels: these must have no effect.
        self._imports = {
            module: found
            for module, found in self._imports.items()
            if self._get_bytecode(module) in selection.imported
        }
        self._is_feature = self._make_feature_check()

    def find(self, start_modules: StartModules) -> AbstractSet[str]:
        """Return the names of the bytecode files of the modules that the bundle imports."""
        known = start_modules.imported & self._modules.places.keys()
        later = start_modules.later & self._modules.places.keys()
        later |= self._list_runtime_modules(known)
        modules = self._follow(self._selection.roots, known, self._is_feature, later)
        tried = start_modules.tried & self._modules.places.keys()
        places = (self._modules.places[name] for name in modules | tried)
        files = (self._stored[number].files.get(file) for number, file in places)
        return {file.name for file in files if file is not None}

    def _get_bytecode(self, module: str) -> str:
        number, file = self._modules.places[module]
        bytecode = self._stored[number].files.get(file)
        return bytecode.name if bytecode else ""

    def _list_runtime_modules(self, start_names: AbstractSet[str]) -> AbstractSet[str]:
        """Return the modules of servers that only the platform imports, such as its runtime."""
        servers: dict[int, set[str]] = {}
        for module, (number, _) in self._modules.places.items():
            if self._names[number] in self._selection.servers:
                servers.setdefault(number, set()).add(module)
        return {
            name for names in servers.values() if names.isdisjoint(start_names) for name in names
        }

    def _make_feature_check(self) -> Callable[[str], bool]:
        """Return a function that tells whether to follow the imports in a module's functions.

        Imports in functions are followed in the app's own distributions, and in features of mastra
        that the app uses. They are not followed in modules that name more than the app uses.
        """
        base = self._follow(_BASE)

        def is_feature(module: str) -> bool:
            name = self._names[self._modules.places[module][0]]
            is_own = name in self._selection.own and name not in (_CORE, _SERVER)
            return is_own or (
                name == _CORE and module not in base and module not in _PROVIDER_TABLES
            )

        return is_feature

    def _follow(
        self,
        roots: Iterable[str],
        start_modules: AbstractSet[str] = frozenset(),
        is_feature: Callable[[str], bool] = lambda _: False,
        later: AbstractSet[str] = frozenset(),
    ) -> AbstractSet[str]:
        walk = StartWalk(self._index, self._imports, self._broken, start_modules, is_feature)
        for name in roots:
            walk.add_root(name)
        for name in later:
            walk.add(name, is_tried=True)
        walk.follow()
        reached: AbstractSet[str] = walk.reached
        return reached


def _delete_files(directory: Path, names: Iterable[str]) -> None:
    folders = set()
    for name in names:
        file = directory / name
        file.unlink(missing_ok=True)
        folders.add(file.parent)
    for folder in folders:
        with contextlib.suppress(OSError):  # the folder is not empty
            folder.rmdir()


def _remove_files(wheel: StoredWheel, names: AbstractSet[str]) -> StoredWheel:
    files: tuple[FinishedFile, ...] = tuple(it for it in wheel.files if it.name not in names)
    return msgspec.structs.replace(wheel, files=files)
