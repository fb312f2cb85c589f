"""Keep the imports and the bytecode of each wheel's modules for later builds.

The cache has an entry for each stored wheel and Python version. The entry grows when another app
imports further modules of the wheel. Each file of an entry is written atomically, so builds can
share the entry.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from mastra_deployer.bundler.vendor.finished_files import FinishedFile
from mastra_deployer.bundler.vendor.wheel_store import FILES
from mastra_deployer.bytecode.compile_modules import CompiledFile
from mastra_deployer.files.checksummed_json import read_checksummed_json, write_checksummed_json
from mastra_deployer.files.directories import get_cache_directory
from mastra_deployer.project.interpreters import Interpreter

__all__ = (
    "BYTECODE_VERSION",
    "StoredBytecode",
    "get_bytecode_path",
    "read_bytecode",
    "save_bytecode",
    "to_finished_file",
)

BYTECODE_VERSION = "2"  # of the format, and of the rules by which imports are read
_INDEX = "bytecode.json"


class StoredBytecode(msgspec.Struct, frozen=True, kw_only=True):
    """The stored facts about the modules of one wheel, by the name of the module's file.

    :param imports: the imports of each module that the child process read, in the form of
        ``CompileResult.imports``.
    :param files: the bytecode of the modules that were compiled; ``None`` if a module has none.
    """

    imports: dict[str, list[Any]] = {}
    files: dict[str, FinishedFile | None] = {}


def get_bytecode_path(wheel: Path, interpreter: Interpreter, *, own: bool) -> Path:
    """Return the path of a wheel's bytecode, which may not exist.

    :param wheel: path of the stored wheel.
    :param interpreter: the interpreter that compiles the modules.
    :param own: whether strings in the wheel that look like module names count as imports.
    """
    facts = (BYTECODE_VERSION, wheel.name, interpreter.full_version, interpreter.cache_tag, own)
    name = hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
    return get_cache_directory("bytecode") / name


def read_bytecode(path: Path) -> StoredBytecode:
    """Read the stored facts about a wheel's modules.

    :param path: the path of the wheel's bytecode; may be missing.
    """
    return read_checksummed_json(path / _INDEX, StoredBytecode) or StoredBytecode()


def save_bytecode(path: Path, new: StoredBytecode, temporary: Path) -> StoredBytecode:
    """Merge new facts about a wheel's modules into the stored facts, and return the result.

    :param path: the path of the wheel's bytecode.
    :param new: the facts from the modules that were read and compiled.
    :param temporary: a temporary directory in the cache that no other process uses.
    """
    old = read_bytecode(path)
    both = StoredBytecode(imports=old.imports | new.imports, files=old.files | new.files)
    (path / FILES).mkdir(parents=True, exist_ok=True)
    write_checksummed_json(path / _INDEX, both, temporary)
    return both


def to_finished_file(row: CompiledFile | None) -> FinishedFile | None:
    """Convert the result of the compiler for one module.

    :param row: the description of the bytecode; ``None`` if the module does not compile.
    """
    return FinishedFile(*row) if row else None
