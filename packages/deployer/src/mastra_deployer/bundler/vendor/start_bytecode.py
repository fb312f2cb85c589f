"""Add the bytecode of modules that a start imports although no import statement leads to them.

Some names of modules are known only at run time: Django imports the modules of the installed apps,
and Pillow imports the plugins of its formats. Without bytecode, each start would compile them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec

from mastra_deployer.bundler.vendor.finished_files import FinishedFile
from mastra_deployer.bundler.vendor.stored_bytecode import (
    StoredBytecode,
    read_bytecode,
    save_bytecode,
    to_finished_file,
)
from mastra_deployer.bundler.vendor.vendor import (
    TRIES,
    VendoredDependencies,
    add_files,
    build_damage_error,
)
from mastra_deployer.bundler.vendor.wheel_store import FILES, StoredWheel, link_files
from mastra_deployer.bytecode.compile_modules import CompileJob, FileTree, run_compiler
from mastra_deployer.files.directories import convert_cache_errors, get_cache_directory
from mastra_deployer.files.temporary import discard_directory, temporary_directory
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("add_start_bytecode",)


def add_start_bytecode(
    dependencies: VendoredDependencies,
    files: Iterable[str],
    interpreter: Interpreter,
    directory: Path,
) -> VendoredDependencies:
    """Compile modules that a start imported without bytecode, and add the bytecode to a build.

    :param dependencies: the dependencies that ship.
    :param files: names of the modules' files, relative to the directory of the dependencies. Files
        that no wheel contains are ignored.
    :param interpreter: an interpreter of the target's version.
    :param directory: the directory of the dependencies.
    :returns: the dependencies with the added bytecode.
    :raises BuildError: when the interpreter crashes, or when the cached files were damaged again
        after each repair.
    """
    selection = dependencies.bytecode
    wheels = dict(zip(selection.files, dependencies.wheels.values(), strict=True))
    modules = _find_modules(wheels, frozenset(files))
    for _ in range(TRIES):
        with convert_cache_errors():
            added = _compile_modules(modules, selection.directories, interpreter)
        compiled = {selection.directories[path]: bytecode for path, bytecode in added.items()}
        damaged = [
            store.parent
            for store, bytecode in compiled.items()
            if not link_files(store, bytecode, directory, dependencies.digests)
        ]
        if not damaged:
            return _add_bytecode(dependencies, wheels, added)
        for path in damaged:
            discard_directory(path)
    raise build_damage_error(damaged[0])


def _find_modules(
    wheels: Mapping[Path, StoredWheel], files: AbstractSet[str]
) -> dict[Path, list[str]]:
    """Return the files of modules that each wheel contains; leave out wheels without any."""
    found = {
        path: [file.name for file in wheel.files if file.name in files]
        for path, wheel in wheels.items()
    }
    return {path: names for path, names in found.items() if names}


def _add_bytecode(
    dependencies: VendoredDependencies,
    wheels: Mapping[Path, StoredWheel],
    bytecode: Mapping[Path, Sequence[FinishedFile]],
) -> VendoredDependencies:
    selection = dependencies.bytecode
    names = {file.name for files in bytecode.values() for file in files}
    return msgspec.structs.replace(
        dependencies,
        wheels={
            wheel.name: add_files(wheel, bytecode.get(path, ())) for path, wheel in wheels.items()
        },
        bytecode=msgspec.structs.replace(
            selection,
            files={path: (*old, *bytecode.get(path, ())) for path, old in selection.files.items()},
            imported=selection.imported | names,
        ),
    )


def _compile_modules(
    modules: Mapping[Path, Sequence[str]],
    directories: Mapping[Path, Path],
    interpreter: Interpreter,
) -> dict[Path, tuple[FinishedFile, ...]]:
    """Compile the files whose bytecode is not stored, and return the bytecode of each wheel."""
    stored = {path: read_bytecode(directories[path].parent) for path in modules}
    missing = {
        path: tuple(name for name in names if name not in stored[path].files)
        for path, names in modules.items()
    }
    missing = {path: names for path, names in missing.items() if names}
    if missing:
        stored |= _compile_missing(missing, directories, interpreter)
    return {
        path: tuple(file for name in names if (file := stored[path].files.get(name)))
        for path, names in modules.items()
    }


def _compile_missing(
    missing: Mapping[Path, tuple[str, ...]],
    directories: Mapping[Path, Path],
    interpreter: Interpreter,
) -> dict[Path, StoredBytecode]:
    """Compile files, and return all stored facts about the modules of their wheels."""
    stored = {}
    trees = tuple(
        FileTree(directory=str(path / FILES), output=str(directories[path]), files=names)
        for path, names in missing.items()
    )
    result = run_compiler(interpreter.path, CompileJob(trees=trees, all=True, protect=True))
    with temporary_directory(get_cache_directory("bytecode")) as temporary:
        for path, rows in zip(missing, result.written, strict=True):
            new = StoredBytecode(files={name: to_finished_file(row) for name, row in rows})
            stored[path] = save_bytecode(directories[path].parent, new, temporary)
    return stored
