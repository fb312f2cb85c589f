"""Implement ``mastra_build`` for CPython platforms; a deployer's own hook replaces it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

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
from mastra_deployer.bundler.vendor.reduce_bytecode import BytecodeReducer, StartModules
from mastra_deployer.bundler.vendor.select_bytecode import BytecodeRequest
from mastra_deployer.bundler.vendor.unused_requirements import find_imported_unused
from mastra_deployer.bundler.vendor.vendor import VendoredDependencies, vendor_dependencies
from mastra_deployer.bundler.verify.boot import boot_source, get_environment_file, get_launcher_file
from mastra_deployer.bundler.verify.unresolved_imports import find_unresolved_imports
from mastra_deployer.bundler.verify.verify import find_kind, verify_build
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

__all__ = ("mastra_build",)

_FREEZE = """\
# What adapts other frameworks' agents was looked up when this was built.
from mastra_core.agents.adapt import freeze_adapters

freeze_adapters({adapters!r})

"""
_ASGI = """\
# Made by mastra: the ASGI application of this bundle.
# Litestar imports these modules for debugging and for YAML documents, which few applications use.
from mastra_core.deferred_imports import defer_imports

{freeze}from {module} import {head}

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
    with interruptible_pool(2) as pool:  # the app is imported while the rest is staged
        inspection = pool.submit(staging.inspect_source)
        try:
            sources = staging.copy_sources()
        except BuildError:
            staging.check_source(inspection.result())  # its error may be more precise than this one
            raise
        kind, modules = _detect_kind(project), sources.collect_modules()
        installation = pool.submit(staging.install_dependencies, kind, modules)
        source = staging.check_source(inspection.result())
        if source and source["kind"] != kind:  # the Mastra object is not made in the entry file
            installation.result()
            kind = source["kind"]
            installation = pool.submit(staging.install_dependencies, kind, modules)
        staging.compile_app(kind, source)
        vendored, closure = installation.result()
    build, inventory = staging.create_build(kind, source, sources, vendored, closure)
    if source is None and find_kind(project, build, interpreter, inventory) == "wsgi":
        vendored, closure = staging.install_dependencies("wsgi", modules)
        staging.compile_app("wsgi", source)
        build, inventory = staging.create_build("wsgi", source, sources, vendored, closure)
    with interruptible_pool(1) as pool:  # the reduction is prepared while the app starts
        reducer = pool.submit(staging.create_reducer, vendored)
        build, start_modules = verify_build(project, build, interpreter, source, inventory, report)
        return staging.reduce_bytecode(build, inventory, reducer.result(), start_modules)


def _detect_kind(project: Project) -> str:
    """Return ``mastra``, ``asgi`` or ``wsgi`` for the entry file, without running it."""
    tree = parse_source(find_module_file(project))
    if find_mastra_calls(tree):
        return "mastra"
    return "wsgi" if is_wsgi_application(tree, project.attribute) else "asgi"


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

    def inspect_source(self) -> dict[str, Any] | None:
        """Import the app from source, and return its contents."""
        call = self._read_deployer_call()
        settings = call.settings.values() if call else ()
        references = [item.name for item in settings if isinstance(item, EnvReference)]
        return boot_source(self.project, find_project_interpreter(self.project), references)

    def check_source(self, source: dict[str, Any] | None) -> dict[str, Any] | None:
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

    def copy_sources(self) -> AppSources:
        """Copy the app's own code."""
        sources = collect_sources(self.project, list_tool_packages())
        sources.write(self.app)
        return sources

    def install_dependencies(
        self, kind: str, modules: frozenset[str]
    ) -> tuple[VendoredDependencies, Closure]:
        """Install the dependencies, and remove those of an earlier attempt."""
        directory = self.directory / "vendor"
        shutil.rmtree(directory, ignore_errors=True)
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

    def compile_app(self, kind: str, source: SourceReport | None) -> None:
        """Compile the app's own code, and the modules that mastra adds."""
        shutil.copyfile(get_environment_file(), self._import_root / "mastra_venv.py")
        if kind != "asgi":
            self._write_asgi_module(kind, source)
        if self.interpreter is not None and get_config(self.project).build.bytecode != "none":
            modules = (path.relative_to(self.app).as_posix() for path in self.app.rglob("*.py"))
            compile_app(self.app, modules, self.interpreter)

    def create_build(
        self,
        kind: str,
        source: SourceReport | None,
        sources: AppSources,
        dependencies: VendoredDependencies,
        closure: Closure,
    ) -> tuple[Build, Inventory]:
        """Write manifest, inventory and bill of materials; return the build and its inventory."""
        wheels = dependencies.wheels.values()
        write_sbom(self.project, wheels, self.directory / "mastra-sbom.json")
        shutil.copyfile(get_launcher_file(), self.directory / "index.py")
        manifest = draft_manifest(self.project, self.platform, kind, source, self.app, wheels)
        texts = self._read_entry_points(sources, dependencies, closure)
        write_console_scripts(read_console_scripts(texts), manifest, self.directory)
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
        return build, inventory

    def create_reducer(self, dependencies: VendoredDependencies) -> BytecodeReducer | None:
        """Return a reducer for the bytecode of the dependencies; ``None`` if all of it ships."""
        is_partial = get_config(self.project).build.bytecode == "imported"
        return BytecodeReducer(dependencies) if is_partial and self.interpreter else None

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

    def _read_entry_points(
        self, sources: AppSources, dependencies: VendoredDependencies, closure: Closure
    ) -> list[str]:
        """Return the ``entry_points.txt`` texts of the app and of local and direct packages."""
        own = [name for name in sources.files if name.endswith(".dist-info/entry_points.txt")]
        files = [self.app / name for name in own]
        for name in (*read_local_names(closure), *sorted(closure.direct)):
            if name in dependencies.wheels:
                info = dependencies.distributions[name].info
                files.append(self.directory / "vendor" / info / "entry_points.txt")
        return [file.read_text("utf-8", "replace") for file in files if file.is_file()]

    def _read_deployer_call(self) -> DeployerCall | None:
        entry = find_module_file(self.project)
        return read_deployer(entry, parse_source(entry))

    def _write_asgi_module(self, kind: str, source: SourceReport | None) -> None:
        """Write the module that makes an ASGI application from the object that the user wrote."""
        project = self.project
        adapters = source.get("adapters") if source else None
        text = (_ASGI if kind == "mastra" else _WSGI).format(
            freeze="" if adapters is None else _FREEZE.format(adapters=adapters),
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
