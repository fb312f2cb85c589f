"""Mastra's own ``mastra_build``: answers last, for every platform that is a CPython."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.hooks import hookimpl
from mastra_core.line import (
    MANIFEST,
    Build,
    BundleManifest,
    Platform,
    Project,
    Report,
    Serve,
    Target,
    lay_out,
)
from mastra_deployer.boot import boot_bundle, boot_source, launcher_file
from mastra_deployer.bundler.bytecode import compile_tree
from mastra_deployer.bundler.closure import OWN, lock_closure
from mastra_deployer.bundler.firstparty import copy_first_party
from mastra_deployer.bundler.sbom import write_sbom
from mastra_deployer.bundler.sizes import sizes_of
from mastra_deployer.bundler.vendor import vendor_tree
from mastra_deployer.doors import deployer_packages
from mastra_deployer.entry import DeployerCall, EnvReference, mastra_calls, read_deployer
from mastra_deployer.interpreters import Interpreter, project_interpreter, target_interpreter
from mastra_deployer.project import config_of, module_file, parse

__all__ = ("mastra_build",)

_COMPARED = ("agents", "workflows", "tools")
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


@hookimpl(trylast=True)
def mastra_build(
    project: Project, target: Target, platform: Platform, directory: Path, report: Report
) -> Build:
    """Copy, lock, vendor, compile, and start it once in isolation."""
    entry = module_file(project)
    deployer = read_deployer(entry, parse(entry))
    source = _source(project, deployer, report)
    kind = source["kind"] if source else _static_kind(project)
    report.step("Collecting the app's own code")
    app = directory / "app"
    copy_first_party(project, app, deployer, deployer_packages())
    if kind == "mastra":
        _write_asgi_module(project, app, source)
    own = OWN if kind == "mastra" else ()
    closure = lock_closure(project, platform, target.requirements, own, report)
    interpreter = _target_interpreter(project, platform, report)
    vendor = vendor_tree(closure, platform, _kept(project), interpreter, report)
    lay_out(vendor, directory / "vendor")
    write_sbom(project, vendor, directory / "mastra-sbom.json")
    if interpreter is not None:
        compile_tree(app, interpreter)
    shutil.copyfile(launcher_file(), directory / "index.py")
    manifest = msgspec.structs.replace(
        _manifest(project, platform, kind, source, directory),
        fingerprint=_fingerprint(app, closure.fingerprint),
    )
    build = Build(directory=directory, platform=platform, manifest=manifest)
    return _verified(project, build, interpreter, source, report)


def _source(
    project: Project, deployer: DeployerCall | None, report: Report
) -> dict[str, Any] | None:
    """The app as its source has it; ``None`` where its dependencies are not installed."""
    report.step("Reading the app")
    interpreter = project_interpreter(project)
    settings = deployer.settings.values() if deployer else ()
    references = [item.name for item in settings if isinstance(item, EnvReference)]
    source = boot_source(project, interpreter, references)
    if source is None:
        report.note(
            f"The project's dependencies are not installed for {interpreter.path}, so the bundle "
            "is not compared with the source.",
            "Install them there, or activate the environment that has them.",
        )
    elif source.get("deployer") and deployer is None:
        raise BuildError(
            f"{module_file(project)}: deployer= ({source['deployer']}) reaches Mastra(...) in a "
            "way that cannot be read without running the file.",
            "Write it as a keyword of the call: Mastra(..., deployer=XDeployer(...)).",
        )
    return source


def _static_kind(project: Project) -> str:
    return "mastra" if mastra_calls(parse(module_file(project))) else "asgi"


def _write_asgi_module(project: Project, app: Path, source: Mapping[str, Any] | None) -> None:
    """The ASGI import string that deployers see, made of the user's ``Mastra`` object."""
    freeze = _FREEZE.format(adapters=source["adapters"]) if source else ""
    head = project.attribute.partition(".")[0]
    text = _ASGI.format(
        freeze=freeze, module=project.module, head=head, attribute=project.attribute
    )
    root = app / project.import_root.relative_to(project.root)
    (root / "mastra_asgi.py").write_text(text, encoding="utf-8")


def _kept(project: Project) -> frozenset[str]:
    """Distributions that the user wants whole."""
    return frozenset(canonicalize_name(name) for name in config_of(project).build.keep)


def _target_interpreter(project: Project, platform: Platform, report: Report) -> Interpreter | None:
    """A Python that can compile and start the build here; both are skipped without one."""
    found = target_interpreter(platform.python, project_interpreter(project), platform.interpreter)
    if found is None:
        report.note(
            f"There is no Python {platform.python} here: no bytecode, and the app was not started.",
            "Install that version, or pass --python PATH.",
        )
    return found


def _manifest(
    project: Project,
    platform: Platform,
    kind: str,
    source: Mapping[str, Any] | None,
    directory: Path,
) -> BundleManifest:
    sizes = sizes_of(directory / "app", directory / "vendor")
    root = project.import_root.relative_to(project.root)
    return BundleManifest(
        app="mastra_asgi:app" if kind == "mastra" else project.entry,
        paths=((Path("app") / root).as_posix(), "vendor"),
        python=platform.python,
        wheels=platform.wheels,
        pure=not any((directory / "vendor").rglob("*.so"))
        and not any((directory / "vendor").rglob("*.pyd")),
        kind=kind,
        entry=project.entry,
        required=project.environment.required,
        optional=project.environment.optional,
        serve=msgspec.convert((source or {}).get("serve", {}), Serve),
        registry=_registry(source or {}),
        versions={name: metadata.version(name) for name in (*OWN, "mastra-deployer")},
        sizes=sizes,
    )


def _registry(source: Mapping[str, Any]) -> dict[str, Any]:
    return (
        {name: source.get(name, {}) for name in _COMPARED}
        if source.get("agents") is not None
        else {}
    )


def _fingerprint(app: Path, closure: str) -> str:
    digest = hashlib.sha256(closure.encode())
    for path in sorted(app.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(app).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _verified(
    project: Project,
    build: Build,
    interpreter: Interpreter | None,
    source: Mapping[str, Any] | None,
    report: Report,
) -> Build:
    """The build once it has started in isolation with everything its source has."""
    if interpreter is None:
        return build
    if interpreter.wheels != build.platform.wheels:
        report.note(
            f"The build is for {build.platform.wheels}, and this is {interpreter.wheels}: "
            "the app was not started.",
            "Start it there once: python index.py --check.",
        )
        return build
    report.step("Starting the app in isolation")
    found = _booted(project, build, interpreter, report)
    registry = found["registry"]
    if source is not None:
        _compare(source, registry)
    serve = msgspec.convert(registry.get("serve", {}), Serve)
    manifest = msgspec.structs.replace(build.manifest, serve=serve, registry=_registry(registry))
    return Build(directory=build.directory, platform=build.platform, manifest=manifest)


def _booted(
    project: Project, build: Build, interpreter: Interpreter, report: Report
) -> dict[str, Any]:
    """What the build reports of itself; files that the app writes meanwhile are not kept."""
    draft = build.directory / MANIFEST  # the launcher reads it; each bundle gets its own
    before = set(build.directory.rglob("*"))
    draft.write_bytes(msgspec.json.encode(build.manifest))
    found = boot_bundle(project, build.directory, interpreter)
    draft.unlink()
    for path in sorted(set(build.directory.rglob("*")) - before, reverse=True):
        name = path.relative_to(build.directory).as_posix()
        report.note(
            f"The app writes {name} beside its code when it is imported; that was not kept.",
            "Write elsewhere, and not at import: a bundle may be read-only.",
        )
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return found


def _compare(source: Mapping[str, Any], bundle: Mapping[str, Any]) -> None:
    for what in _COMPARED:
        if source.get(what) != bundle.get(what):
            lost = sorted(set(source.get(what, ())) - set(bundle.get(what, ())))
            raise BuildError(
                f"The bundle has other {what} than the source: "
                f"{json.dumps(lost) if lost else json.dumps(bundle.get(what))}"
                + (" missing." if lost else "."),
                "What makes them must ship too: [tool.mastra.build] include.",
            )
