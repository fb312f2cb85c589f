"""Starts a staged app once in isolation, and compares it with its source."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from mastra_core.errors import BuildError
from mastra_core.pipeline import MANIFEST, Build, Project, Report, Serve
from mastra_core.pipeline.file_tree import tree_files
from mastra_deployer.bundler.metadata.draft_manifest import COMPARED, registry_of
from mastra_deployer.bundler.verify.boot import boot_bundle
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("verified",)


def verified(
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
    manifest = msgspec.structs.replace(
        build.manifest,
        serve=serve,
        registry=registry_of(registry),
        variables=registry.get("variables", {}),
    )
    return dataclasses.replace(build, manifest=manifest)


def _booted(
    project: Project, build: Build, interpreter: Interpreter, report: Report
) -> dict[str, Any]:
    """What the build reports of itself; files that the app writes meanwhile are not kept."""
    draft = build.directory / MANIFEST  # the launcher reads it; each bundle gets its own
    before = {name for name, _ in tree_files(build.directory)}
    draft.write_bytes(msgspec.json.encode(build.manifest))
    found = boot_bundle(project, build.directory, interpreter)
    draft.unlink()
    written = {name for name, _ in tree_files(build.directory)} - before
    for name in sorted(written):
        report.note(
            f"The app writes {name} beside its code when it is imported; that was not kept.",
            "Write elsewhere, and not at import: a bundle may be read-only.",
        )
        (build.directory / name).unlink()
    return found


def _compare(source: Mapping[str, Any], bundle: Mapping[str, Any]) -> None:
    for what in COMPARED:
        if source.get(what) != bundle.get(what):
            lost = sorted(set(source.get(what, ())) - set(bundle.get(what, ())))
            raise BuildError(
                f"The bundle has other {what} than the source: "
                f"{json.dumps(lost) if lost else json.dumps(bundle.get(what))}"
                + (" missing." if lost else "."),
                "What makes them must ship too: [tool.mastra.build] include.",
            )
