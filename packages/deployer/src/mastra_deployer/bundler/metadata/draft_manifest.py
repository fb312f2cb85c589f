"""Create the first version of a manifest, which the target completes later."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

from mastra_core.pipeline import BundleManifest, Platform, Project
from mastra_deployer.bundler.metadata.size_breakdown import measure_sizes
from mastra_deployer.bundler.resolve.requirement_overrides import OWN_DISTRIBUTIONS
from mastra_deployer.bundler.vendor.wheel_store import StoredWheel
from mastra_deployer.code_analysis.native_libraries import is_library
from mastra_deployer.project.discovery import get_config

__all__ = ("COMPARED", "draft_manifest", "extract_registry")

COMPARED = ("agents", "workflows", "tools")


def draft_manifest(
    project: Project,
    platform: Platform,
    kind: str,
    app: Path,
    wheels: Collection[StoredWheel],
) -> BundleManifest:
    """Create the manifest of a staged app, without starting the app.

    :param project: the app.
    :param platform: the platform of the build.
    :param kind: ``mastra``, ``asgi`` or ``wsgi``.
    :param app: directory of the app's files in the build.
    :param wheels: the dependencies that ship.
    """
    root = project.import_root.relative_to(project.root)
    own = (path.name for path in app.rglob("*"))
    names = (file.name for wheel in wheels for file in wheel.files)
    return BundleManifest(
        app=project.entry if kind == "asgi" else "mastra_asgi:app",
        paths=((Path("app") / root).as_posix(), "vendor"),
        python=platform.python,
        wheels=platform.wheels,
        pure=not any(map(is_library, chain(own, names))),
        kind=kind,
        entry=project.entry,
        required=project.environment.required,
        optional=project.environment.optional,
        versions={name: metadata.version(name) for name in (*OWN_DISTRIBUTIONS, "mastra-deployer")},
        sizes=measure_sizes(app, wheels),
        stripped=get_config(project).build.strip,
    )


def extract_registry(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of an app's report that must be equal for the source and the bundle.

    :param source: the report; may be empty.
    """
    return (
        {name: source.get(name, {}) for name in COMPARED}
        if source.get("agents") is not None
        else {}
    )
