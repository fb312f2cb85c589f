"""Bundle a build as image layers, offline, without credentials and reproducibly."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mastra_core.errors import BundleError
from mastra_core.pipeline import Build, Bundle, Report
from mastra_deployer_oci.bundle.base_reference import find_base
from mastra_deployer_oci.bundle.platforms import to_architecture, to_machine
from mastra_deployer_oci.settings import OciDeployer

if TYPE_CHECKING:  # the settings class must load without what only bundling needs
    from mastra_deployer.kit import ArchiveEntry
    from mastra_deployer_oci.bundle.layers import Layer

__all__ = ("bundle_image",)

_SBOM = "mastra-sbom.json"


def bundle_image(build: Build, directory: Path, settings: OciDeployer, report: Report) -> Bundle:
    """Write the layers of an image, and a plan from which the deploy makes the image's config.

    The layers are ordered by how often they change: interpreter, dependencies, app.

    :param build: the finished build.
    :param directory: the empty directory of the bundle.
    :param settings: settings of the deployer.
    :param report: receives progress.
    :returns: the sealed bundle.
    """
    from mastra_deployer_oci.bundle.image_config import build_image_config, find_image_python
    from mastra_deployer_oci.bundle.image_layout import write_layout
    from mastra_deployer_oci.bundle.image_plan import BLOBS, ImagePlan, write_plan
    from mastra_deployer_oci.bundle.layer_cache import write_cached_layer
    from mastra_deployer_oci.bundle.layers import write_layer

    base = find_base(settings, build.platform.python)
    architecture, blobs = to_architecture(build.platform.wheels), directory / BLOBS
    layers: list[Layer] = []
    if base is None:
        report.step("Writing the interpreter layer")
        layers.append(_write_interpreter_layer(build, settings, architecture, blobs, report))
    report.step("Writing the layers")
    layers.append(write_cached_layer("dependencies", _iter_dependencies(build), blobs))
    python = find_image_python(settings)
    layers.append(write_layer("app", _iter_app(build, python), blobs))
    plan = ImagePlan(
        base=str(base) if base else "",
        architecture=architecture,
        layers=tuple(layers),
        config=build_image_config(settings, build.manifest, architecture, layers),
        app=_hash_app(build),
    )
    write_plan(plan, directory)
    write_layout(plan, directory)
    if (build.directory / _SBOM).is_file():
        shutil.copyfile(build.directory / _SBOM, directory / _SBOM)
    return Bundle.seal(build, directory, "oci", base=plan.base, architecture=architecture)


def _write_interpreter_layer(
    build: Build, settings: OciDeployer, architecture: str, blobs: Path, report: Report
) -> Layer:
    from mastra_deployer.kit import get_interpreter
    from mastra_deployer_oci.bundle.interpreter_layer import build_interpreter_layer

    try:
        python = get_interpreter(
            build.platform.python,
            to_machine(architecture),
            report,
            source=settings.interpreter,
            preferred_path=build.platform.interpreter,
        )
        return build_interpreter_layer(python, settings.user, blobs, strip=build.manifest.stripped)
    except BundleError as error:
        raise BundleError(
            error.message, f"{error.hint.removesuffix('.')}, or use a base image: -s base=..."
        ) from None


def _iter_dependencies(build: Build) -> Iterator[ArchiveEntry]:
    from mastra_deployer.kit import ArchiveEntry, iter_entries
    from mastra_deployer_oci.bundle.image_config import HOME

    yield from iter_entries(build.directory / "vendor", f"{HOME}/vendor", keep_links=True)
    if (build.directory / _SBOM).is_file():
        yield ArchiveEntry(path=f"{HOME}/{_SBOM}", source=build.directory / _SBOM)


def _iter_app(build: Build, python: str) -> Iterator[ArchiveEntry]:
    from mastra_core.pipeline import MANIFEST
    from mastra_deployer.kit import ArchiveEntry, iter_entries
    from mastra_deployer_oci.bundle.image_config import HOME

    manifest = msgspec.structs.replace(build.manifest, target="oci")
    text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)
    yield from iter_entries(build.directory / "app", f"{HOME}/app", keep_links=True)
    yield ArchiveEntry(path=f"{HOME}/index.py", source=build.directory / "index.py")
    for entry in iter_entries(build.directory / "bin", f"{HOME}/bin"):
        yield _set_interpreter(entry, python) if python.startswith("/") else entry
    yield ArchiveEntry(path=f"{HOME}/{MANIFEST}", content=text + b"\n")


def _set_interpreter(entry: ArchiveEntry, python: str) -> ArchiveEntry:
    """Write the path of the image's interpreter into a script, because ``env`` may be missing."""
    with entry.open() as content:
        lines = content.read().partition(b"\n")
    return dataclasses.replace(entry, source=None, content=f"#!{python}\n".encode() + lines[2])


def _hash_app(build: Build) -> str:
    """Hash the app's own sources; the digest is the same for all platforms."""
    from mastra_deployer.kit import iter_entries

    digest = hashlib.sha256(build.manifest.python.encode())
    for entry in iter_entries(build.directory / "app", keep_links=True):
        if not entry.path.endswith(".pyc"):
            digest.update(f"{entry.path}\0{entry.mode:o} {entry.get_size()}\0".encode())
            with entry.open() as content:
                digest.update(content.read())
    return f"sha256:{digest.hexdigest()}"
