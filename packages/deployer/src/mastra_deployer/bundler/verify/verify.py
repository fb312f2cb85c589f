"""Start a staged app once in isolation, and compare it with its source."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mastra_core.errors import BuildError
from mastra_core.pipeline import MANIFEST, Build, Project, Report, Serve, SilentReport
from mastra_core.pipeline.file_tree import iter_files
from mastra_deployer.bundler.metadata.draft_manifest import COMPARED, extract_registry
from mastra_deployer.bundler.metadata.inventory import Inventory
from mastra_deployer.bundler.vendor.reduce_bytecode import StartModules
from mastra_deployer.bundler.verify.boot import boot_bundle
from mastra_deployer.bundler.verify.check_entry import check_entry
from mastra_deployer.output.names import format_names
from mastra_deployer.project.deployer_argument import find_server_settings
from mastra_deployer.project.discovery import find_module_file, get_config, parse_source
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("find_kind", "verify_build")

_MIN_UNCOMPILED = 20  # modules; to compile one takes about two milliseconds


def find_kind(
    project: Project, build: Build, interpreter: Interpreter | None, inventory: Inventory
) -> str:
    """Return the kind of application in a build: ``mastra``, ``asgi`` or ``wsgi``.

    If the source was not imported, the build is started once for this purpose.

    :param project: the app.
    :param build: the staged app.
    :param interpreter: an interpreter of the target's version; without one, the result is the kind
        in the manifest of the build.
    :param inventory: the inventory of the build, with what was left out.
    """
    manifest = build.manifest
    if manifest.kind != "asgi" or interpreter is None or not interpreter.can_run(manifest.wheels):
        return manifest.kind
    result = _boot_and_clean_up(project, build, interpreter, inventory, SilentReport())
    return "wsgi" if result["registry"]["kind"] == "wsgi" else manifest.kind


def verify_build(
    project: Project,
    build: Build,
    interpreter: Interpreter | None,
    source: Mapping[str, Any] | None,
    inventory: Inventory,
    report: Report,
) -> tuple[Build, StartModules]:
    """Start a build in isolation, and check that it contains everything in its source.

    :param project: the app.
    :param build: the staged app.
    :param interpreter: an interpreter of the target's version; without an interpreter, nothing is
        checked.
    :param source: the report of an import from source; ``None`` if nothing is compared.
    :param inventory: the inventory of the build, with what was left out.
    :param report: receives progress and notes.
    :returns: the build, whose manifest now contains the facts that the app reports of itself, and
        the modules that the start imported.
    :raises BuildError: when the app does not start, or a module or file is missing.
    """
    can_start = interpreter is not None and interpreter.can_run(build.platform.wheels)
    if source is None and not can_start:
        _warn_about_defaults(project, build, report)
    if interpreter is None:
        return build, StartModules()
    if not can_start:
        report.note(
            f"The build is for {build.platform.wheels}, but this machine is {interpreter.machine}. "
            "Therefore the app was not started.",
            f"Start it once on {build.platform.wheels}: python index.py --check.",
        )
        return build, StartModules()
    report.step("Starting the app in isolation")
    result = _boot_and_clean_up(project, build, interpreter, inventory, report)
    registry = result["registry"]
    if build.manifest.kind == "asgi":
        check_entry(project, {**registry, "objects": ()})
    if source is not None:
        _compare(source, registry)
    _check_bytecode(project, registry["uncompiled"], report)
    return _add_facts(build, registry), _read_start_modules(registry)


def _add_facts(build: Build, registry: Mapping[str, Any]) -> Build:
    """Return the build with the facts that the app reports of itself."""
    manifest = msgspec.structs.replace(
        build.manifest,
        serve=msgspec.convert(registry.get("serve", {}), Serve),
        registry=extract_registry(registry),
        variables=registry.get("variables", {}),
        websockets=tuple(registry.get("websockets", ())),
    )
    return dataclasses.replace(build, manifest=manifest)


def _read_start_modules(registry: Mapping[str, Any]) -> StartModules:
    return StartModules(
        imported=frozenset(registry.get("started", ())),
        tried=frozenset(registry.get("tried", ())),
        later=frozenset(registry.get("model_modules", ())),
        standard=frozenset(registry.get("standard", ())),
    )


def _check_bytecode(project: Project, modules: Sequence[str], report: Report) -> None:
    """Report modules that the start had to compile, if this takes a noticeable time."""
    if get_config(project).build.bytecode == "imported" and len(modules) >= _MIN_UNCOMPILED:
        report.note(
            f"Each start compiles {len(modules)} modules, since no import statement leads to "
            f"them from the app: {format_names(modules)}.",
            'Ship bytecode of all modules: [tool.mastra.build] bytecode = "all".',
        )


def _warn_about_defaults(project: Project, build: Build, report: Report) -> None:
    """Warn that the settings in ``Server(...)`` are unknown, because the app did not run."""
    names = find_server_settings(parse_source(find_module_file(project)))
    if build.manifest.kind == "mastra" and names:
        serve = build.manifest.serve
        report.warn(
            "The app was neither imported nor started, so the bundle does not contain these "
            f"settings of Server(...): {', '.join(names)}. It listens on {serve.host}:{serve.port} "
            "unless HOST and PORT are set.",
            "Install the project's dependencies in its environment, and build again.",
        )


def _boot_and_clean_up(
    project: Project,
    build: Build,
    interpreter: Interpreter,
    inventory: Inventory,
    report: Report,
) -> dict[str, Any]:
    """Start the build and return its report; delete files that the app writes meanwhile."""
    draft = build.directory / MANIFEST  # only for the launcher: each bundle gets its own
    before = {name for name, _ in iter_files(build.directory)}
    draft.write_bytes(msgspec.json.encode(build.manifest))
    result = boot_bundle(project, build.directory, interpreter, inventory, report)
    draft.unlink()
    written = sorted({name for name, _ in iter_files(build.directory)} - before)
    for name in written:
        (build.directory / name).unlink()
    if written:
        report.warn(
            f"The app writes {_count_files(written)} beside its code during the import: "
            f"{format_names(written)}. These files were deleted.",
            "Write to another directory, and not during the import, because a bundle may be "
            "read-only.",
        )
    return result


def _count_files(names: list[str]) -> str:
    return "a file" if len(names) == 1 else f"{len(names)} files"


def _compare(source: Mapping[str, Any], bundle: Mapping[str, Any]) -> None:
    for key in COMPARED:
        if source.get(key) != bundle.get(key):
            missing = sorted(set(source.get(key, ())) - set(bundle.get(key, ())))
            raise BuildError(
                f"The source has {key} that the bundle lacks: {json.dumps(missing)}."
                if missing
                else f"The bundle and its source have different {key}. Those of the bundle are: "
                f"{json.dumps(bundle.get(key))}.",
                f"Add the files that define {key} to [tool.mastra.build] include.",
            )
