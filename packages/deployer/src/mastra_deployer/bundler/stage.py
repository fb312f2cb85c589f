"""Mastra's own ``mastra_build``: answers last, for every platform that is a CPython."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Build, Platform, Project, Report, Target
from mastra_deployer.bundler.metadata.build_state import fingerprint_of
from mastra_deployer.bundler.metadata.draft_manifest import draft_manifest
from mastra_deployer.bundler.metadata.inventory import write_inventory
from mastra_deployer.bundler.metadata.sbom import write_sbom
from mastra_deployer.bundler.resolve.closure import OWN, Closure, lock_closure
from mastra_deployer.bundler.sources.app_sources import Sources
from mastra_deployer.bundler.sources.first_party import collect
from mastra_deployer.bundler.vendor.bytecode import finish_files
from mastra_deployer.bundler.vendor.vendor import Vendored, vendor
from mastra_deployer.bundler.verify.boot import boot_source, launcher_file
from mastra_deployer.bundler.verify.verify import verified
from mastra_deployer.files.directories import spare_directory
from mastra_deployer.plugins.manager import deployer_packages
from mastra_deployer.project.deployer_argument import (
    DeployerCall,
    EnvReference,
    mastra_calls,
    read_deployer,
)
from mastra_deployer.project.discovery import config_of, module_file, parse
from mastra_deployer.project.interpreters import (
    Interpreter,
    project_interpreter,
    target_interpreter,
)

__all__ = ("locked", "mastra_build", "static_kind")

_FREEZE = """\
# What adapts other frameworks' agents was looked up when this was built.
from mastra_core.agents.adapt import freeze_adapters

freeze_adapters({adapters!r})

"""
_ASGI = """\
# Made by mastra: the ASGI application of this bundle.
{freeze}from {module} import {head}
from mastra_server import create_app

mastra = {attribute}
app = create_app(mastra)
"""
Source = Mapping[str, Any]


@hookimpl(trylast=True)
def mastra_build(
    project: Project, target: Target, platform: Platform, directory: Path, report: Report
) -> Build:
    """Copy, lock, vendor, compile, and start it once in isolation."""
    interpreter = _target_interpreter(project, platform, report)
    staging = _Staging(project, target, platform, directory, interpreter, report)
    report.step("Reading the app")
    with ThreadPoolExecutor(2) as pool:  # it is imported while the rest is put together
        looking = pool.submit(staging.look)
        try:
            sources = staging.collect()
        except BuildError:
            staging.accepted(looking.result())  # running it may say more than reading it
            raise
        kind = static_kind(project)
        vendoring = pool.submit(staging.vendor, kind)
        source = staging.accepted(looking.result())
        if source and source["kind"] != kind:  # a Mastra made elsewhere than in the entry file
            vendoring.result()
            kind = source["kind"]
            vendoring = pool.submit(staging.vendor, kind)
        staging.compile(kind, source)
        vendored, closure = vendoring.result()
    build = staging.finished(kind, source, sources, vendored, closure)
    return verified(project, build, interpreter, source, report)


def locked(
    project: Project, target: Target, platform: Platform, kind: str, report: Report
) -> Closure:
    """The closure of an app of that kind."""
    own = OWN if kind == "mastra" else ()
    return lock_closure(project, platform, target.requirements, own, report)


def static_kind(project: Project) -> str:
    """``mastra`` or ``asgi``, by the look of the entry file."""
    return "mastra" if mastra_calls(parse(module_file(project))) else "asgi"


@dataclasses.dataclass(frozen=True)
class _Staging:
    """A directory that becomes a build."""

    project: Project
    target: Target
    platform: Platform
    directory: Path
    interpreter: Interpreter | None
    report: Report

    @property
    def app(self) -> Path:
        return self.directory / "app"

    def look(self) -> dict[str, Any] | None:
        """What the app has when it is imported from source."""
        call = self._deployer()
        settings = call.settings.values() if call else ()
        references = [item.name for item in settings if isinstance(item, EnvReference)]
        return boot_source(self.project, project_interpreter(self.project), references)

    def accepted(self, source: dict[str, Any] | None) -> dict[str, Any] | None:
        """The app as its source has it; ``None`` where its dependencies are not installed."""
        if source is None:
            self.report.note(
                "The project's dependencies are not installed for "
                f"{project_interpreter(self.project).path}, so the bundle is not compared with "
                "the source.",
                "Install them there, or activate the environment that has them.",
            )
        elif source.get("deployer") and self._deployer() is None:
            raise BuildError(
                f"{module_file(self.project)}: deployer= ({source['deployer']}) reaches "
                "Mastra(...) in a way that cannot be read without running the file.",
                "Write it as a keyword of the call: Mastra(..., deployer=XDeployer(...)).",
            )
        return source

    def collect(self) -> Sources:
        """Copy the app's own code."""
        sources = collect(self.project, deployer_packages())
        sources.write(self.app)
        return sources

    def vendor(self, kind: str) -> tuple[Vendored, Closure]:
        """Lay the dependencies out, in place of others."""
        place = self.directory / "vendor"
        shutil.rmtree(place, ignore_errors=True)
        closure = locked(self.project, self.target, self.platform, kind, self.report)
        kept = frozenset(map(canonicalize_name, config_of(self.project).build.keep))
        spare = spare_directory(self.project)
        made = vendor(closure, self.platform, kept, self.interpreter, place, spare, self.report)
        return made, closure

    def compile(self, kind: str, source: Source | None) -> None:
        """Compile the app's own code, with the module that makes it an ASGI application."""
        if kind == "mastra":
            self._write_asgi_module(source)
        if self.interpreter is not None:
            modules = [path.relative_to(self.app).as_posix() for path in self.app.rglob("*.py")]
            finish_files({self.app: sorted(modules)}, self.interpreter, protect=False)

    def finished(
        self,
        kind: str,
        source: Source | None,
        sources: Sources,
        vendored: Vendored,
        closure: Closure,
    ) -> Build:
        """The build, with all that is said of it."""
        parts = vendored.parts.values()
        write_sbom(self.project, parts, self.directory / "mastra-sbom.json")
        write_inventory(self.project, self.platform, sources, vendored)
        shutil.copyfile(launcher_file(), self.directory / "index.py")
        manifest = draft_manifest(self.project, self.platform, kind, source, self.app, parts)
        fingerprint = fingerprint_of(sources.written_digest(self.app), closure.fingerprint)
        return Build(
            directory=self.directory,
            platform=self.platform,
            manifest=msgspec.structs.replace(manifest, fingerprint=fingerprint),
            digests=vendored.digests,
        )

    def _deployer(self) -> DeployerCall | None:
        entry = module_file(self.project)
        return read_deployer(entry, parse(entry))

    def _write_asgi_module(self, source: Source | None) -> None:
        """The ASGI import string that deployers see, made of the user's ``Mastra`` object."""
        project = self.project
        freeze = _FREEZE.format(adapters=source["adapters"]) if source else ""
        head = project.attribute.partition(".")[0]
        text = _ASGI.format(
            freeze=freeze, module=project.module, head=head, attribute=project.attribute
        )
        root = self.app / project.import_root.relative_to(project.root)
        (root / "mastra_asgi.py").write_text(text, encoding="utf-8")


def _target_interpreter(project: Project, platform: Platform, report: Report) -> Interpreter | None:
    """A Python that can compile and start the build here; both are skipped without one."""
    found = target_interpreter(platform.python, project_interpreter(project), platform.interpreter)
    if found is None:
        report.note(
            f"There is no Python {platform.python} here: no bytecode, and the app was not started.",
            "Install that version, or pass --python PATH.",
        )
    return found
