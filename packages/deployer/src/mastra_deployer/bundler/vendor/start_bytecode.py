"""Add the bytecode of modules that a start imports although no import statement leads to them.

Some names of modules are known only at run time: Django imports the modules of the installed apps,
and Pillow imports the plugins of its formats. Without bytecode, each start would compile them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from mastra_deployer.bundler.vendor.stored_bytecode import (
    StoredBytecode,
    read_bytecode,
    save_bytecode,
    to_finished_file,
)
from mastra_deployer.bundler.vendor.vendor import VendoredDependencies, add_files
from mastra_deployer.bundler.vendor.wheel_store import FILES, link_files
from mastra_deployer.bytecode.compile_modules import CompileJob, FileTree, run_compiler
from mastra_deployer.files.directories import convert_cache_errors, get_cache_directory
from mastra_deployer.files.temporary import temporary_directory
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
    :raises BuildError: when the interpreter crashes.
    """
    selection = dependencies.bytecode
    wheels = dict(zip(selection.files, dependencies.wheels.values(), strict=True))
    wanted = frozenset(files)
    chosen = {
        path: [file.name for file in wheel.files if file.name in wanted]
        for path, wheel in wheels.items()
    }
    chosen = {path: names for path, names in chosen.items() if names}
    with convert_cache_errors():
        stored = _compile_missing(chosen, selection.directories, interpreter)
    added = {
        path: tuple(file for name in names if (file := stored[path].files.get(name)))
        for path, names in chosen.items()
    }
    for path, bytecode in added.items():
        # A file that is damaged in the cache stays without bytecode, and the start compiles it.
        link_files(selection.directories[path], bytecode, directory, dependencies.digests)
    names = {file.name for bytecode in added.values() for file in bytecode}
    return msgspec.structs.replace(
        dependencies,
        wheels={
            wheel.name: add_files(wheel, added.get(path, ())) for path, wheel in wheels.items()
        },
        bytecode=msgspec.structs.replace(
            selection,
            files={path: (*old, *added.get(path, ())) for path, old in selection.files.items()},
            imported=selection.imported | names,
        ),
    )


def _compile_missing(
    chosen: Mapping[Path, Sequence[str]],
    directories: Mapping[Path, Path],
    interpreter: Interpreter,
) -> dict[Path, StoredBytecode]:
    """Compile the files whose bytecode is not stored, and return the stored facts of each wheel."""
    stored = {path: read_bytecode(directories[path].parent) for path in chosen}
    missing = {
        path: tuple(name for name in names if name not in stored[path].files)
        for path, names in chosen.items()
    }
    missing = {path: names for path, names in missing.items() if names}
    if not missing:
        return stored
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
