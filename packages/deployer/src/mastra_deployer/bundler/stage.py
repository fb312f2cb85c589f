"""Implement ``mastra_build`` for CPython platforms; a deployer's own hook replaces it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Build, Platform, Project, Report, Target
from mastra_deployer.bundler.metadata.build_state import compute_build_fingerprint
from mastra_deployer.bundler.metadata.draft_manifest import draft_manifest
from mastra_deployer.bundler.metadata.inventory import (
    Inventory,
    create_inventory,
    update_inventory,
    write_inventory,
)
from mastra_deployer.bundler.metadata.sbom import write_sbom
from mastra_deployer.bundler.metadata.size_breakdown import measure_sizes
from mastra_deployer.bundler.resolve.app_dependencies import lock_dependencies
from mastra_deployer.bundler.resolve.closure import Closure, read_local_names
from mastra_deployer.bundler.resolve.pyodide import is_pyodide
from mastra_deployer.bundler.resolve.requirement_overrides import OWN_DISTRIBUTIONS
from mastra_deployer.bundler.resolve.requirements import parse_names
from mastra_deployer.bundler.resolve.wheel_sizes import check_wheel_sizes
from mastra_deployer.bundler.sources.app_sources import AppSources
from mastra_deployer.bundler.sources.console_scripts import (
    read_console_scripts,
    write_console_scripts,
)
from mastra_deployer.bundler.sources.first_party import collect_sources
from mastra_deployer.bundler.sources.shipped_entry_points import read_entry_points
from mastra_deployer.bundler.vendor.reduce_bytecode import BytecodeReducer, StartModules
from mastra_deployer.bundler.vendor.select_bytecode import BytecodeRequest
from mastra_deployer.bundler.vendor.unused_requirements import find_imported_unused
from mastra_deployer.bundler.vendor.vendor import VendoredDependencies, vendor_dependencies
from mastra_deployer.bundler.verify.boot import boot_source, get_environment_file, get_launcher_file
from mastra_deployer.bundler.verify.unresolved_imports import find_unresolved_imports
from mastra_deployer.bundler.verify.verify import (
    BuildStart,
    find_differences,
    start_build,
    verify_build,
)
from mastra_deployer.bytecode.compile_modules import compile_app
from mastra_deployer.files.directories import get_vendor_reuse_directory
from mastra_deployer.plugins.manager import list_tool_packages
from mastra_deployer.project.child_processes import interruptible_pool
from mastra_deployer.project.deployer_argument import (
    DeployerCall,
    EnvReference,
    find_mastra_calls,
    read_deployer,
)
from mastra_deployer.project.discovery import find_module_file, get_config, parse_source
from mastra_deployer.project.interpreters import (
    Interpreter,
    find_project_interpreter,
    find_target_interpreter,
)
from mastra_deployer.project.suggest import find_nearest
from mastra_deployer.project.wsgi_entry import is_wsgi_application

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ("mastra_build",)

_ASGI = """\
# Made by mastra: the ASGI application of this bundle.
# Litestar imports these modules for debugging and for YAML documents, which few applications use.
from mastra_core.deferred_imports import defer_imports

# The build found the adapters for agents of other frameworks.
from mastra_core.agents.adapt import freeze_adapters

freeze_adapters({adapters!r})

from {module} import {head}

with defer_imports("pdb", "yaml"):
    from mastra_server import create_app

mastra = {attribute}
app = create_app(mastra)
"""
_WSGI = """\
# Made by mastra: the WSGI application of this bundle, as an ASGI application.
from a2wsgi import WSGIMiddleware
from {module} import {head}

app = WSGIMiddleware({attribute}, workers={threads})
"""
_WSGI_THREADS = 40  # requests that a process handles at once; threads are started as needed
SourceReport = Mapping[str, Any]


@hookimpl(trylast=True)
def mastra_build(
    project: Project, target: Target, platform: Platform, directory: Path, report: Report
) -> Build:
    """Copy the app, install its dependencies, compile the code, and start the result in isolation.

    :param project: the app.
    :param target: the target, whose runtime requirements are included.
    :param platform: the platform to build for.
    :param directory: an empty directory that receives the build.
    :param report: receives progress and notes.
    :raises BuildError: when a step fails; the error has a hint with the solution.
    """
    interpreter = _find_interpreter(project, platform, report)
    staging = _Staging(project, target, platform, directory, interpreter, report)
    report.step("Reading the app")
    # The app is imported while its copy is made and started. All child processes are started in the
    # threads of the pool: Ctrl-C could interrupt the main thread between the start of a child and
    # its registration, and the child would stay.
    with interruptible_pool(3) as pool:
        inspection = pool.submit(staging.inspect_source)
        try:
            sources = collect_sources(project, list_tool_packages())
            staged_app = pool.submit(staging.stage, _detect_kind(project), sources).result()
        except BuildError:
            staging.check_source(inspection.result())  # its error may be more precise than this one
            raise
        reducer = pool.submit(staging.create_reducer, staged_app)
        source, start = staging.start_beside_import(staged_app, inspection, pool)
        kind = _read_kind(source, start) or staged_app.kind
        if kind != staged_app.kind:  # for example, the Mastra object is not made in the entry file
            staged_app = pool.submit(staging.stage, kind, sources).result()
            reducer = pool.submit(staging.create_reducer, staged_app)
            start = pool.submit(staging.start, staged_app).result()
        staging.check_source(source)
        build, start_modules = verify_build(
            project, staged_app.build, interpreter, source, start, staged_app.inventory, report
        )
        return staging.reduce_bytecode(build, staged_app.inventory, reducer.result(), start_modules)


def _detect_kind(project: Project) -> str:
    """Return ``mastra``, ``asgi`` or ``wsgi`` for the entry file, without running it."""
    tree = parse_source(find_module_file(project))
    if find_mastra_calls(tree):
        return "mastra"
    return "wsgi" if is_wsgi_application(tree, project.attribute) else "asgi"


def _read_kind(source: SourceReport | None, start: BuildStart | None) -> str:
    """Return the kind of the application as the started app reports it; empty if unknown."""
    if source is not None:
        kind: str = source["kind"]
        return kind
    # Without its source, only the kind of another framework's application is known.
    return "wsgi" if start and start.registry.get("kind") == "wsgi" else ""


def _may_have_conflict(
    inspection: Future[SourceReport | None], starting: Future[BuildStart | None]
) -> bool:
    """Return whether the import or the start may have failed because of the other process."""
    if starting.exception() is not None:
        return True
    start = starting.result()
    if start is None:  # the import ran alone
        return False
    if inspection.exception() is not None or start.has_failed:
        return True
    source = inspection.result()
    return source is not None and bool(find_differences(source, start.registry))


@dataclasses.dataclass(frozen=True)
class _StagedApp:
    """The copy of an app for one kind of application.

    :param kind: ``mastra``, ``asgi`` or ``wsgi``.
    :param build: the staged app.
    :param inventory: the inventory of the build, with what was left out.
    :param dependencies: the dependencies that ship.
    """

    kind: str
    build: Build
    inventory: Inventory
    dependencies: VendoredDependencies


@dataclasses.dataclass(frozen=True)
class _Staging:
    """One build: its inputs and its directory."""

    project: Project
    target: Target
    platform: Platform
    directory: Path
    interpreter: Interpreter | None
    report: Report

    @property
    def app(self) -> Path:
        return self.directory / "app"

    @property
    def _import_root(self) -> Path:
        return self.app / self.project.import_root.relative_to(self.project.root)

    def inspect_source(self) -> SourceReport | None:
        """Import the app from source, and return its contents."""
        call = self._read_deployer_call()
        settings = call.settings.values() if call else ()
        references = [item.name for item in settings if isinstance(item, EnvReference)]
        return boot_source(self.project, find_project_interpreter(self.project), references)

    def check_source(self, source: SourceReport | None) -> SourceReport | None:
        """Check the contents of the app; return ``None`` if its dependencies are not installed."""
        if source is None:
            self.report.note(
                "The project's dependencies are not installed for "
                f"{find_project_interpreter(self.project).path}, so the bundle is not compared "
                "with the source.",
                "Install the dependencies there, or activate the environment that contains them.",
            )
        elif source.get("deployer") and self._read_deployer_call() is None:
            raise BuildError(
                f"{find_module_file(self.project)}: deployer= ({source['deployer']}) is not passed "
                "to Mastra(...) as a keyword argument.",
                "Write Mastra(..., deployer=XDeployer(...)).",
            )
        return source

    def stage(self, kind: str, sources: AppSources) -> _StagedApp:
        """Fill the directory for one kind of application; delete an earlier attempt.

        :param kind: ``mastra``, ``asgi`` or ``wsgi``.
        :param sources: the app's own code.
        """
        shutil.rmtree(self.directory)
        self.directory.mkdir()
        sources.write(self.app)
        dependencies, closure = self._install_dependencies(kind, sources.collect_modules())
        self._compile_app(kind, sources, dependencies)
        return self._create_build(kind, sources, dependencies, closure)

    def start(self, staged_app: _StagedApp) -> BuildStart | None:
        """Start the staged app in isolation; return ``None`` if this machine cannot start it."""
        if self.interpreter is None or not self.interpreter.can_run(self.platform.wheels):
            return None
        self.report.step("Starting the app in isolation")
        return start_build(self.project, staged_app.build, self.interpreter)

    def start_beside_import(
        self,
        staged_app: _StagedApp,
        inspection: Future[SourceReport | None],
        pool: ThreadPoolExecutor,
    ) -> tuple[SourceReport | None, BuildStart | None]:
        """Start the staged app in isolation while the app is imported from source.

        Both processes may need the same port or the same file. Therefore, if one of them fails, or
        if both report different objects, both run again, one after the other.

        :param staged_app: the app to start.
        :param inspection: the import from source.
        :param pool: starts the staged app.
        :returns: the report of the import, and the start in isolation. The start is ``None`` if
            this machine cannot start the app, or if the app is of another kind than the staged app.
        """
        if inspection.done():
            return inspection.result(), pool.submit(self.start, staged_app).result()
        starting = pool.submit(self.start, staged_app)
        starting.exception()  # wait for the end: the caller may empty the directory
        if inspection.exception() is None:
            source = inspection.result()
            if source is not None and source["kind"] != staged_app.kind:
                return source, None
        if _may_have_conflict(inspection, starting):
            source = pool.submit(self.inspect_source).result()
            return source, pool.submit(self.start, staged_app).result()
        return inspection.result(), starting.result()

    def _install_dependencies(
        self, kind: str, modules: frozenset[str]
    ) -> tuple[VendoredDependencies, Closure]:
        directory = self.directory / "vendor"
        closure = lock_dependencies(
            self.project, self.target, self.platform, kind, self.report, modules
        )
        config = get_config(self.project).build
        keep = frozenset(map(canonicalize_name, config.keep))
        shipped = keep | find_imported_unused(modules)
        check_wheel_sizes(closure, self.platform, self.target, shipped)
        saved = get_vendor_reuse_directory(self.project)
        result = vendor_dependencies(
            closure,
            self.platform,
            keep,
            self.interpreter,
            directory,
            saved,
            self.report,
            bytecode=self._request_bytecode(closure, modules),
            strip=config.strip,
        )
        self._report_unknown_names(keep - result.distributions.keys(), result.distributions)
        return result, closure

    def _request_bytecode(self, closure: Closure, modules: frozenset[str]) -> BytecodeRequest:
        servers = parse_names(self.target.requirements)
        return BytecodeRequest(
            mode=get_config(self.project).build.bytecode,
            modules=modules,
            direct=frozenset(closure.direct),
            servers=frozenset(servers),
            own=frozenset((*OWN_DISTRIBUTIONS, *read_local_names(closure))),
        )

    def _report_unknown_names(self, unknown: AbstractSet[str], names: Iterable[str]) -> None:
        """Warn about names in ``keep`` that are not among the dependencies."""
        for name in sorted(unknown):
            near = find_nearest(name, names)
            self.report.warn(
                f"[tool.mastra.build] keep: {name!r} is not among the dependencies.",
                f"Did you mean {near!r}?" if near else "Correct the name, or remove it.",
            )

    def _compile_app(
        self, kind: str, sources: AppSources, dependencies: VendoredDependencies
    ) -> None:
        """Compile the app's own code, and the modules that mastra adds."""
        shutil.copyfile(get_environment_file(), self._import_root / "mastra_venv.py")
        if kind != "asgi":
            self._write_asgi_module(kind, sources, dependencies)
        if self.interpreter is not None and get_config(self.project).build.bytecode != "none":
            modules = (path.relative_to(self.app).as_posix() for path in self.app.rglob("*.py"))
            compile_app(self.app, modules, self.interpreter)

    def _create_build(
        self,
        kind: str,
        sources: AppSources,
        dependencies: VendoredDependencies,
        closure: Closure,
    ) -> _StagedApp:
        """Write the launcher, the inventory, the bill of materials and the console scripts."""
        wheels = dependencies.wheels.values()
        write_sbom(self.project, wheels, self.directory / "mastra-sbom.json")
        shutil.copyfile(get_launcher_file(), self.directory / "index.py")
        manifest = draft_manifest(self.project, self.platform, kind, self.app, wheels)
        scripts = self._read_scripts(sources, dependencies, closure)
        write_console_scripts(scripts, manifest, self.directory)
        fingerprint = compute_build_fingerprint(
            sources.compute_written_digest(self.app), closure.fingerprint
        )
        missing = find_unresolved_imports(self.project, sources, dependencies)
        problems = [*missing, *sources.problems]
        inventory = create_inventory(sources, dependencies, problems, fingerprint)
        write_inventory(self.project, self.platform, inventory)
        build = Build(
            directory=self.directory,
            platform=self.platform,
            manifest=msgspec.structs.replace(manifest, fingerprint=fingerprint),
            digests=dependencies.digests,
            imported=self._list_imported(dependencies),
            standard=dependencies.bytecode.standard,
        )
        return _StagedApp(kind, build, inventory, dependencies)

    def create_reducer(self, staged_app: _StagedApp) -> BytecodeReducer | None:
        """Return a reducer for the bytecode of the dependencies; ``None`` if all of it ships."""
        is_partial = get_config(self.project).build.bytecode == "imported"
        return BytecodeReducer(staged_app.dependencies) if is_partial and self.interpreter else None

    def reduce_bytecode(
        self,
        build: Build,
        inventory: Inventory,
        reducer: BytecodeReducer | None,
        start_modules: StartModules,
    ) -> Build:
        """Leave out the bytecode of modules that the start does not import; update the inventory.

        The field ``standard`` of the returned build also lists the modules of the standard library
        that the start imports without an import statement.

        :param build: the finished build.
        :param inventory: the inventory of the build.
        :param reducer: leaves out the bytecode; ``None`` if all of it ships.
        :param start_modules: the modules that the start in isolation imported.
        """
        build = dataclasses.replace(build, standard=build.standard | start_modules.standard)
        if reducer is None or not start_modules.imported:
            return build
        reduced = reducer.reduce(start_modules, self.directory / "vendor")
        write_inventory(self.project, self.platform, update_inventory(inventory, reduced))
        sizes = measure_sizes(self.app, reduced.wheels.values())
        return dataclasses.replace(
            build,
            manifest=msgspec.structs.replace(build.manifest, sizes=sizes),
            imported=self._list_imported(reduced),
        )

    def _list_imported(self, dependencies: VendoredDependencies) -> frozenset[str]:
        """Return the names of the bytecode files of the app and of its imported dependencies."""
        own = (path.relative_to(self.directory).as_posix() for path in self.app.rglob("*.pyc"))
        return frozenset((*own, *(f"vendor/{name}" for name in dependencies.bytecode.imported)))

    def _read_scripts(
        self, sources: AppSources, dependencies: VendoredDependencies, closure: Closure
    ) -> dict[str, str]:
        """Return the console scripts of the app and of its local and direct dependencies."""
        names = [*read_local_names(closure), *sorted(closure.direct)]
        names = [name for name in names if name in dependencies.wheels]
        return read_console_scripts(self._read_entry_point_files(sources, dependencies, names))

    def _find_adapters(
        self, sources: AppSources, dependencies: VendoredDependencies
    ) -> dict[str, str]:
        """Return the adapters for agents in the app and in all distributions that ship."""
        texts = self._read_entry_point_files(sources, dependencies, dependencies.wheels)
        return read_entry_points(texts, "mastra.agents")

    def _read_entry_point_files(
        self, sources: AppSources, dependencies: VendoredDependencies, names: Iterable[str]
    ) -> list[str]:
        """Return the ``entry_points.txt`` texts of the app and of some of its dependencies."""
        own = [name for name in sources.files if name.endswith(".dist-info/entry_points.txt")]
        files = [self.app / name for name in own]
        for name in names:
            info = dependencies.distributions[name].info
            files.append(self.directory / "vendor" / info / "entry_points.txt")
        return [file.read_text("utf-8", "replace") for file in files if file.is_file()]

    def _read_deployer_call(self) -> DeployerCall | None:
        entry = find_module_file(self.project)
        return read_deployer(entry, parse_source(entry))

    def _write_asgi_module(
        self, kind: str, sources: AppSources, dependencies: VendoredDependencies
    ) -> None:
        """Write the module that makes an ASGI application from the object that the user wrote."""
        project = self.project
        text = (_ASGI if kind == "mastra" else _WSGI).format(
            adapters=self._find_adapters(sources, dependencies),
            module=project.module,
            head=project.attribute.partition(".")[0],
            attribute=project.attribute,
            threads=_WSGI_THREADS,
        )
        (self._import_root / "mastra_asgi.py").write_text(text, encoding="utf-8", newline="\n")


def _find_interpreter(project: Project, platform: Platform, report: Report) -> Interpreter | None:
    """Find a Python that can compile and start the build; without one, both steps are skipped."""
    if is_pyodide(platform):
        report.note(
            "A bundle for Pyodide has no bytecode, because a snapshot of the imported app replaces "
            "it. The build cannot start the app, because the app needs Pyodide.",
            "To try the bundle, use the deployer's preview.",
        )
        return None
    interpreter = find_target_interpreter(
        platform.python, find_project_interpreter(project), platform.interpreter
    )
    if interpreter is None:
        report.note(
            f"Python {platform.python} was not found on this machine. Therefore no bytecode was "
            "compiled, and the app was not started.",
            "Install that version, or pass --python PATH.",
        )
    return interpreter
