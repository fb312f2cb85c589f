"""Start a staged app once in isolation, and compare it with an import of its source."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from mastra_core.errors import BuildError
from mastra_core.pipeline import MANIFEST, Build, Project, Report, Serve
from mastra_core.pipeline.file_tree import iter_files
from mastra_deployer.bundler.metadata.draft_manifest import COMPARED, extract_registry
from mastra_deployer.bundler.metadata.inventory import Inventory
from mastra_deployer.bundler.vendor.reduce_bytecode import StartModules
from mastra_deployer.bundler.verify.boot import boot_bundle, check_boot, is_failure
from mastra_deployer.bundler.verify.check_entry import check_entry
from mastra_deployer.output.names import format_names
from mastra_deployer.project.deployer_argument import find_server_settings
from mastra_deployer.project.discovery import find_module_file, get_config, parse_source
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("BuildStart", "find_differences", "start_build", "verify_build")

_DEPENDENCIES = "vendor/"


@dataclasses.dataclass(frozen=True)
class BuildStart:
    """The result of a start in isolation.

    :param report: the report of the started app, with its registry or an error.
    :param written: names of the files that the app wrote into the build; they are deleted.
    """

    report: Mapping[str, Any]
    written: tuple[str, ...]

    @property
    def registry(self) -> Mapping[str, Any]:
        """The contents of the app; empty if the app did not start."""
        registry: Mapping[str, Any] = self.report.get("registry", {})
        return registry

    @property
    def has_failed(self) -> bool:
        """Whether the app did not start, or cannot respond to a request."""
        response = self.registry.get("request")
        return not self.report["ok"] or bool(response and is_failure(response))


def start_build(project: Project, build: Build, interpreter: Interpreter) -> BuildStart:
    """Start a build in isolation, and delete the files that the app writes into the build.

    :param project: the app.
    :param build: the staged app.
    :param interpreter: an interpreter of the target's version.
    :raises BuildError: when the process of the app ends without a report, or does not end.
    """
    draft = build.directory / MANIFEST  # only for the launcher: each bundle gets its own
    before = {name for name, _ in iter_files(build.directory)}
    draft.write_bytes(msgspec.json.encode(build.manifest))
    try:
        result = boot_bundle(project, build.directory, interpreter)
    finally:
        draft.unlink()
        written = sorted({name for name, _ in iter_files(build.directory)} - before)
        for name in written:
            (build.directory / name).unlink()
    return BuildStart(result, tuple(written))


def verify_build(
    project: Project,
    build: Build,
    interpreter: Interpreter | None,
    source: Mapping[str, Any] | None,
    start: BuildStart | None,
    inventory: Inventory,
    report: Report,
) -> tuple[Build, StartModules]:
    """Check that a build starts in isolation, and contains everything in its source.

    :param project: the app.
    :param build: the staged app.
    :param interpreter: an interpreter of the target's version; ``None`` if this machine has none.
    :param source: the report of an import from source; ``None`` if nothing is compared.
    :param start: the start of the build; ``None`` if the build cannot start on this machine.
    :param inventory: the inventory of the build, with what was left out.
    :param report: receives notes.
    :returns: the build, whose manifest now contains what the started app has reported about itself,
        and the modules that the start imported.
    :raises BuildError: when the app did not start, or a module or file is missing.
    """
    if start is None:
        if source is None:
            _warn_about_defaults(project, build, report)
        if interpreter is not None:
            _report_no_start(build.platform.wheels, interpreter.machine, report)
        return _add_facts(project, build, source or {}), StartModules()
    _report_written_files(start.written, report)
    check_boot(project, build.directory, start.report, inventory, report)
    registry = start.registry
    if build.manifest.kind == "asgi":
        check_entry(project, {**registry, "objects": ()})
    if source is not None:
        _compare(source, registry)
    return _add_facts(project, build, registry), _read_start_modules(registry)


def _add_facts(project: Project, build: Build, registry: Mapping[str, Any]) -> Build:
    """Add to the build's manifest what the app has reported about itself."""
    ignored = get_config(project).check.ignore
    manifest = msgspec.structs.replace(
        build.manifest,
        serve=msgspec.convert(registry.get("serve", {}), Serve),
        registry=extract_registry(registry),
        variables=registry.get("variables", {}),
        suspending_steps=_select_suspending_steps(registry, ignored),
        run_database=registry.get("run_database", ""),
        websockets=tuple(registry.get("websockets", ())),
    )
    return dataclasses.replace(build, manifest=manifest)


def _select_suspending_steps(
    registry: Mapping[str, Any], patterns: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return the steps that suspend runs, except those of workflows that the project ignores."""
    found: dict[str, tuple[str, ...]] = registry.get("suspending_steps", {})
    return {
        name: steps
        for name, steps in found.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }


def _read_start_modules(registry: Mapping[str, Any]) -> StartModules:
    return StartModules(
        imported=frozenset(registry.get("started", ())),
        tried=frozenset(registry.get("tried", ())),
        later=frozenset(registry.get("model_modules", ())),
        standard=frozenset(registry.get("standard", ())),
        uncompiled=tuple(registry["uncompiled"]),
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


def _report_no_start(wheels: str, machine: str, report: Report) -> None:
    report.note(
        f"The build is for {wheels}, but this machine is {machine}. Therefore the app was not "
        "started.",
        f"Start it once on {wheels}: python index.py --check.",
    )


def _report_written_files(names: Sequence[str], report: Report) -> None:
    own = [name for name in names if not name.startswith(_DEPENDENCIES)]
    if own:
        report.warn(
            f"The app writes {_count_files(own)} beside its code during the import: "
            f"{format_names(own)}. These files were deleted.",
            "Write to another directory, and not during the import, because a bundle may be "
            "read-only.",
        )
    if others := [name for name in names if name.startswith(_DEPENDENCIES)]:
        report.note(
            f"A dependency writes {_count_files(others)} beside its code during the import: "
            f"{format_names(others)}. These files were deleted.",
            "A bundle may be read-only. If the dependency has a setting for the directory, name a "
            "writable directory.",
        )


def _count_files(names: Sequence[str]) -> str:
    return "a file" if len(names) == 1 else f"{len(names)} files"


def find_differences(source: Mapping[str, Any], bundle: Mapping[str, Any]) -> list[str]:
    """Return the kinds of objects, such as ``tools``, in which a bundle differs from its source.

    :param source: the report of an import from source.
    :param bundle: the report of a start in isolation.
    """
    return [key for key in COMPARED if source.get(key) != bundle.get(key)]


def _compare(source: Mapping[str, Any], bundle: Mapping[str, Any]) -> None:
    for key in find_differences(source, bundle):
        missing = sorted(set(source.get(key, ())) - set(bundle.get(key, ())))
        raise BuildError(
            f"The source has {key} that the bundle lacks: {json.dumps(missing)}."
            if missing
            else f"The bundle and its source have different {key}. Those of the bundle are: "
            f"{json.dumps(bundle.get(key))}.",
            f"Add the files that define {key} to [tool.mastra.build] include.",
        )
