"""Select the modules of the dependencies that have bytecode in a bundle, and compile them.

The selection follows the import statements from the app, and runs no code, so it is the same on
every machine, even for a platform that the machine cannot run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import starmap
from pathlib import Path

import msgspec

from mastra_core.pipeline import Report
from mastra_deployer.bundler.vendor.finished_files import FinishedFile
from mastra_deployer.bundler.vendor.stored_bytecode import (
    BYTECODE_VERSION,
    StoredBytecode,
    get_bytecode_path,
    read_bytecode,
    save_bytecode,
    to_finished_file,
)
from mastra_deployer.bundler.vendor.wheel_store import FILES, StoredWheel
from mastra_deployer.bytecode.compile_modules import (
    CompileJob,
    FileTree,
    run_compiler,
)
from mastra_deployer.files.checksummed_json import read_checksummed_json, write_checksummed_json
from mastra_deployer.files.directories import get_cache_directory
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.project.config import Bytecode
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("BytecodeRequest", "BytecodeSelection", "select_bytecode")

_MODULE_SUFFIXES = (".py", ".so", ".pyd")
# What the launchers of bundles and the first requests import.
_LAUNCHER_MODULES = frozenset(
    (
        *("mastra_core.deferred_imports", "mastra_core.describe", "mastra_core.preload"),
        "mastra_server.http.connections",
        *("uvicorn.Server", "uvicorn.supervisors.Multiprocess"),
        *("anyio._backends._asyncio", "mastra_core.workflows.engine.interpreter"),
        "mastra_core.workflows.render.graph",
        *("asyncio", "base64", "inspect", "json", "platform", "site", "subprocess", "sysconfig"),
    )
)


class BytecodeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The facts from which the bundler selects the modules to compile to bytecode.

    :param mode: the setting ``bytecode``.
    :param modules: dotted names that the app imports or has in strings.
    :param direct: canonical names of the distributions that the app and the target require.
    :param servers: canonical names of the distributions that the target requires in order to serve.
    :param own: canonical names of the distributions whose code belongs to the app or to mastra.
    """

    mode: Bytecode = "imported"
    modules: frozenset[str] = frozenset()
    direct: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()


class BytecodeSelection(msgspec.Struct, frozen=True, kw_only=True):
    """The bytecode of the dependencies.

    :param files: the bytecode files that ship, by the path of the stored wheel.
    :param directories: the directory that contains a wheel's bytecode files, by the path of the
        stored wheel.
    :param imported: names of the bytecode files of imported modules. ``files`` may contain more
        files.
    :param standard: modules of the standard library that are imported.
    :param modules: number of all modules; 0 unless only imported modules have bytecode.
    :param stored: the stored facts about each wheel's modules, by the path of the stored wheel.
    :param roots: dotted names of the modules at which the search for imports began.
    :param own: canonical names of the distributions whose code belongs to the app or to mastra.
    :param servers: canonical names of the distributions that the target requires in order to serve.
    """

    files: dict[Path, tuple[FinishedFile, ...]] = {}
    directories: dict[Path, Path] = {}
    imported: frozenset[str] = frozenset()
    standard: frozenset[str] = frozenset()
    modules: int = 0
    stored: dict[Path, StoredBytecode] = {}
    roots: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()


class _Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The files of the modules that are imported, by the name of the stored wheel."""

    files: dict[str, tuple[str, ...]]
    standard: tuple[str, ...]


def select_bytecode(
    wheels: Mapping[Path, StoredWheel],
    tops: Mapping[str, Sequence[str]],
    request: BytecodeRequest,
    interpreter: Interpreter | None,
    report: Report,
) -> BytecodeSelection:
    """Select and compile the bytecode of the dependencies.

    :param wheels: the wheels that ship, by their path in the store.
    :param tops: the names of each distribution's top-level modules, by canonical name.
    :param request: the facts that decide the selection.
    :param interpreter: an interpreter of the target's version; without an interpreter, nothing is
        compiled.
    :param report: receives progress.
    :raises BuildError: when the interpreter crashes.
    """
    if interpreter is None or request.mode == "none":
        return BytecodeSelection()
    return _Selector(wheels, tops, request, interpreter, report).select()


class _Selector:
    """Select the bytecode of one build."""

    def __init__(
        self,
        wheels: Mapping[Path, StoredWheel],
        tops: Mapping[str, Sequence[str]],
        request: BytecodeRequest,
        interpreter: Interpreter,
        report: Report,
    ) -> None:
        self._wheels, self._request = wheels, request
        self._interpreter, self._report = interpreter, report
        direct = {top for name in request.direct for top in tops.get(name, ())}
        self._roots = tuple(sorted({*request.modules, *direct, *_LAUNCHER_MODULES}))
        self._paths = {
            path: get_bytecode_path(path, interpreter, own=wheel.name in request.own)
            for path, wheel in wheels.items()
        }
        self._stored = {path: read_bytecode(store) for path, store in self._paths.items()}
        self._modules = {
            path: [file.name for file in wheel.files if file.name.endswith(".py")]
            for path, wheel in wheels.items()
        }

    def select(self) -> BytecodeSelection:
        """Return the selection; start the child process only if bytecode is missing."""
        file = get_cache_directory("imported") / f"{self._compute_key()}.json"
        imported = read_checksummed_json(file, _Imported)
        if imported is None or not self._is_complete(imported):
            imported = self._run_and_save(file)
        files = {path: self._list_bytecode(path, imported) for path in self._wheels}
        names = {
            bytecode.name
            for path in self._wheels
            for module in imported.files.get(path.name, ())
            if (bytecode := self._stored[path].files.get(module))
        }
        return BytecodeSelection(
            files=files,
            directories={path: store / FILES for path, store in self._paths.items()},
            imported=frozenset(names),
            standard=frozenset(imported.standard),
            modules=sum(map(len, self._modules.values())) if self._is_partial else 0,
            stored=self._stored,
            roots=self._roots,
            own=self._request.own,
            servers=self._request.servers,
        )

    @property
    def _is_partial(self) -> bool:
        return self._request.mode == "imported"

    def _compute_key(self) -> str:
        interpreter = self._interpreter
        facts = (
            BYTECODE_VERSION,
            interpreter.full_version,
            interpreter.cache_tag,
            [store.name for store in self._paths.values()],
            self._roots,
            sorted(self._request.servers),
        )
        return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:32]

    def _list_names(self, path: Path, selection: _Imported) -> Sequence[str]:
        if self._is_partial:
            return selection.files.get(path.name, ())
        return self._modules[path]

    def _list_bytecode(self, path: Path, selection: _Imported) -> tuple[FinishedFile, ...]:
        stored = self._stored[path].files
        found = (stored.get(name) for name in self._list_names(path, selection))
        return tuple(file for file in found if file is not None)

    def _is_complete(self, selection: _Imported) -> bool:
        return all(
            name in self._stored[path].files
            for path in self._wheels
            for name in {*self._list_names(path, selection), *selection.files.get(path.name, ())}
        )

    def _run_and_save(self, file: Path) -> _Imported:
        self._report.step("Compiling dependencies")
        result = run_compiler(self._interpreter.path, self._build_job())
        with temporary_directory(get_cache_directory("bytecode")) as temporary:
            for number, (path, store) in enumerate(self._paths.items()):
                new = StoredBytecode(
                    imports=result.imports[number],
                    files={name: to_finished_file(row) for name, row in result.written[number]},
                )
                if new.imports or new.files:
                    self._stored[path] = save_bytecode(store, new, temporary)
            names = (path.name for path in self._wheels)
            imported = _Imported(
                files=dict(zip(names, result.imported, strict=True)), standard=result.standard
            )
            write_checksummed_json(file, imported, temporary)
        return imported

    def _build_job(self) -> CompileJob:
        servers = self._request.servers
        return CompileJob(
            trees=tuple(starmap(self._build_tree, self._wheels.items())),
            roots=self._roots,
            whole=tuple(
                number for number, item in enumerate(self._wheels.values()) if item.name in servers
            ),
            all=self._request.mode == "all",
            protect=True,
        )

    def _build_tree(self, path: Path, wheel: StoredWheel) -> FileTree:
        names = (file.name for file in wheel.files)
        return FileTree(
            directory=str(path / FILES),
            output=str(self._paths[path] / FILES),
            files=tuple(name for name in names if name.endswith(_MODULE_SUFFIXES)),
            own=wheel.name in self._request.own,
            imports=self._stored[path].imports,
            compiled=tuple(self._stored[path].files),
        )
