"""Fill the directory of a build: the app's code, its dependencies, bytecode and metadata."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from mastra_core.pipeline import Build, Platform, Project, Report, Target
from mastra_deployer.bundler.asgi_module import format_asgi_module
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
from mastra_deployer.bundler.sources.extension_modules import find_unusable_extensions
from mastra_deployer.bundler.sources.shipped_entry_points import read_entry_points
from mastra_deployer.bundler.vendor.reduce_bytecode import BytecodeReducer, StartModules
from mastra_deployer.bundler.vendor.select_bytecode import BytecodeRequest
from mastra_deployer.bundler.vendor.start_bytecode import add_start_bytecode
from mastra_deployer.bundler.vendor.unused_requirements import find_imported_unused
from mastra_deployer.bundler.vendor.vendor import VendoredDependencies, vendor_dependencies
from mastra_deployer.bundler.verify.boot import get_environment_file, get_launcher_file
from mastra_deployer.bundler.verify.unresolved_imports import find_unresolved_imports
from mastra_deployer.bundler.verify.verify import BuildStart, start_build
from mastra_deployer.bytecode.compile_modules import compile_app
from mastra_deployer.files.directories import get_vendor_reuse_directory
from mastra_deployer.project.discovery import get_config
from mastra_deployer.project.interpreters import Interpreter
from mastra_deployer.project.suggest import find_nearest

__all__ = ("StagedApp", "Staging")


@dataclasses.dataclass(frozen=True)
class StagedApp:
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
class Staging:
    """One build: its inputs and its directory.

    :param project: the app.
    :param target: the target, whose runtime requirements are included.
    :param platform: the platform to build for.
    :param directory: receives the build.
    :param interpreter: an interpreter of the platform's version; ``None`` if there is none.
    :param report: receives progress and notes.
    """

    project: Project
    target: Target
    platform: Platform
    directory: Path
    interpreter: Interpreter | None
    report: Report

    @property
    def _app(self) -> Path:
        return self.directory / "app"

    @property
    def _import_root(self) -> Path:
        return self._app / self.project.import_root.relative_to(self.project.root)

    def stage(self, kind: str, sources: AppSources) -> StagedApp:
        """Fill the directory for one kind of application; delete an earlier attempt.

        :param kind: ``mastra``, ``asgi`` or ``wsgi``.
        :param sources: the app's own code.
        """
        shutil.rmtree(self.directory)
        self.directory.mkdir()
        sources.write(self._app)
        dependencies, closure = self._install_dependencies(kind, sources.collect_modules())
        self._compile_app(kind, sources, dependencies)
        return self._create_build(kind, sources, dependencies, closure)

    def start(self, staged_app: StagedApp) -> BuildStart | None:
        """Start the staged app in isolation; return ``None`` if this machine cannot start it.

        :param staged_app: the app to start.
        """
        if self.interpreter is None or not self.interpreter.can_run(self.platform.wheels):
            return None
        self.report.step("Starting the app in isolation")
        return start_build(self.project, staged_app.build, self.interpreter)

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
            adapters = self._find_adapters(sources, dependencies)
            text = format_asgi_module(kind, self.project.module, self.project.attribute, adapters)
            (self._import_root / "mastra_asgi.py").write_text(text, encoding="utf-8", newline="\n")
        if self.interpreter is not None and get_config(self.project).build.bytecode != "none":
            modules = (path.relative_to(self._app).as_posix() for path in self._app.rglob("*.py"))
            compile_app(self._app, modules, self.interpreter)

    def _create_build(
        self,
        kind: str,
        sources: AppSources,
        dependencies: VendoredDependencies,
        closure: Closure,
    ) -> StagedApp:
        """Write the launcher, the inventory, the bill of materials and the console scripts."""
        wheels = dependencies.wheels.values()
        write_sbom(self.project, wheels, self.directory / "mastra-sbom.json")
        shutil.copyfile(get_launcher_file(), self.directory / "index.py")
        manifest = draft_manifest(self.project, self.platform, kind, self._app, wheels)
        scripts = self._read_scripts(sources, dependencies, closure)
        write_console_scripts(scripts, manifest, self.directory)
        fingerprint = compute_build_fingerprint(
            sources.compute_written_digest(self._app), closure.fingerprint
        )
        missing = find_unresolved_imports(self.project, sources, dependencies)
        problems = [*missing, *sources.problems]
        if not is_pyodide(self.platform):  # Pyodide's build checks the libraries itself
            problems += find_unusable_extensions(sources.files, self.platform)
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
        return StagedApp(kind, build, inventory, dependencies)

    def create_reducer(self, staged_app: StagedApp) -> BytecodeReducer | None:
        """Return a reducer for the bytecode of the dependencies; ``None`` if all of it ships.

        :param staged_app: the app whose dependencies have bytecode.
        """
        is_partial = get_config(self.project).build.bytecode == "imported"
        return BytecodeReducer(staged_app.dependencies) if is_partial and self.interpreter else None

    def adapt_bytecode(
        self,
        build: Build,
        staged_app: StagedApp,
        reducer: BytecodeReducer | None,
        start_modules: StartModules,
    ) -> Build:
        """Adapt the bytecode of the dependencies to the modules that the start imports.

        Bytecode of modules that the start does not import is left out, and missing bytecode is
        added. The inventory is updated. The field ``standard`` of the returned build also lists the
        modules of the standard library that the start imports without an import statement.

        :param build: the finished build.
        :param staged_app: the app whose dependencies have bytecode.
        :param reducer: leaves out the bytecode; ``None`` if all of it ships.
        :param start_modules: the modules that the start in isolation imported.
        """
        build = dataclasses.replace(build, standard=build.standard | start_modules.standard)
        dependencies, directory = staged_app.dependencies, self.directory / "vendor"
        if reducer is not None and start_modules.imported:
            dependencies = reducer.reduce(start_modules, directory)
        if reducer is not None and self.interpreter and start_modules.uncompiled:
            files = start_modules.uncompiled
            dependencies = add_start_bytecode(dependencies, files, self.interpreter, directory)
        if dependencies is staged_app.dependencies:
            return build
        inventory = update_inventory(staged_app.inventory, dependencies)
        write_inventory(self.project, self.platform, inventory)
        sizes = measure_sizes(self._app, dependencies.wheels.values())
        return dataclasses.replace(
            build,
            manifest=msgspec.structs.replace(build.manifest, sizes=sizes),
            imported=self._list_imported(dependencies),
        )

    def _list_imported(self, dependencies: VendoredDependencies) -> frozenset[str]:
        """Return the names of the bytecode files of the app and of its imported dependencies."""
        own = (path.relative_to(self.directory).as_posix() for path in self._app.rglob("*.pyc"))
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
        files = [self._app / name for name in own]
        for name in names:
            info = dependencies.distributions[name].info
            files.append(self.directory / "vendor" / info / "entry_points.txt")
        return [file.read_text("utf-8", "replace") for file in files if file.is_file()]
