"""From a build to the layers of an image: offline, without credentials, always the same bytes."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mastra_core.errors import ConfigError
from mastra_core.hooks import hookimpl
from mastra_core.line import Build, Bundle, Problem, Report
from mastra_deployer_oci.platforms import architecture_of, machine_of
from mastra_deployer_oci.reference import Reference
from mastra_deployer_oci.settings import SCRATCH, OciDeployer

if TYPE_CHECKING:  # the settings class must load without what only bundling needs
    from mastra_deployer_oci.layers import Entry, Layer

__all__ = ("mastra_bundle", "mastra_check", "mastra_inspect")

_SBOM = "mastra-sbom.json"
_LAST_PORT = 65535


@hookimpl
def mastra_check(build: Build, settings: OciDeployer) -> list[Problem]:
    """Names, numbers and the machine, before any work is done."""
    found = [
        _problem(lambda: architecture_of(build.platform.wheels)),
        _problem(lambda: _check_image(settings.image)),
        _problem(lambda: _check_base(settings, build)),
    ]
    if not re.fullmatch(r"\d+(:\d+)?", settings.user):
        message = f"user={settings.user!r} is no number."
        hint = "Write user:group in numbers: names differ between images."
        found.append(Problem(message=message, hint=hint))
    elif settings.user.partition(":")[0] == "0":
        message = "The image runs as root."
        found.append(Problem(message=message, hint="Leave user= out.", severity="warning"))
    if not 0 <= settings.port <= _LAST_PORT:
        message = f"port={settings.port} is no port."
        found.append(Problem(message=message, hint=f"Write a number up to {_LAST_PORT}."))
    return [problem for problem in found if problem]


def _problem(check: Callable[[], object]) -> Problem | None:
    try:
        check()
    except ConfigError as error:
        return Problem(message=error.message, hint=error.hint)
    return None


def _check_image(image: str) -> None:
    if not image:
        return  # it refers to a variable that only deploying reads
    found = Reference.parse(image)
    if found.tag or found.digest:
        raise ConfigError(
            f"image={image!r} has a tag or a digest.",
            f"Write image={found.name}; deploying tags it, and -s tag=... names production's tag.",
        )


def _check_base(settings: OciDeployer, build: Build) -> None:
    if settings.base == SCRATCH:
        return
    base = Reference.parse(settings.base.format(python=build.platform.python))
    if "alpine" in base.tag:
        raise ConfigError(
            f"The base {str(base)!r} is of Alpine, and the wheels are for glibc.",
            "Take one of Debian: a tag that ends in -slim.",
        )


@hookimpl
def mastra_bundle(build: Build, directory: Path, settings: OciDeployer, report: Report) -> Bundle:
    """Write the layers, the one that changes most on top, and what is known of the config."""
    from mastra_deployer_oci.layers import write_layer
    from mastra_deployer_oci.layout import write_layout
    from mastra_deployer_oci.parts import BLOBS, Parts, write_parts
    from mastra_deployer_oci.runtime import image_config

    architecture, blobs = architecture_of(build.platform.wheels), directory / BLOBS
    layers: list[Layer] = []
    if settings.base == SCRATCH:
        report.step("Writing the interpreter's layer")
        layers.append(_interpreter_layer(build, settings, architecture, blobs))
    report.step("Writing the layers")
    layers.append(write_layer("dependencies", _dependencies(build), blobs))
    layers.append(write_layer("app", _app(build), blobs))
    base = "" if settings.base == SCRATCH else settings.base.format(python=build.platform.python)
    parts = Parts(
        base=str(Reference.parse(base)) if base else "",
        architecture=architecture,
        layers=tuple(layers),
        config=image_config(settings, build.manifest, architecture, layers),
        app=_app_digest(build),
    )
    write_parts(parts, directory)
    write_layout(parts, directory)
    if (build.directory / _SBOM).is_file():
        shutil.copyfile(build.directory / _SBOM, directory / _SBOM)
    return Bundle.seal(build, directory, "oci", base=parts.base, architecture=architecture)


def _interpreter_layer(
    build: Build, settings: OciDeployer, architecture: str, blobs: Path
) -> Layer:
    from mastra_deployer_oci.interpreter import interpreter_layer
    from mastra_deployer_oci.pythons import find_python

    version, machine = build.platform.python, machine_of(architecture)
    preferred = build.platform.interpreter
    with find_python(version, machine, settings.interpreter, preferred) as python:
        return interpreter_layer(python, settings.user, blobs)


def _dependencies(build: Build) -> Iterator[Entry]:
    from mastra_deployer_oci.layers import Entry, tree_entries
    from mastra_deployer_oci.runtime import HOME

    yield from tree_entries(build.directory / "vendor", f"{HOME}/vendor")
    if (build.directory / _SBOM).is_file():
        yield Entry(path=f"{HOME}/{_SBOM}", source=build.directory / _SBOM)


def _app(build: Build) -> Iterator[Entry]:
    from mastra_core.line import MANIFEST
    from mastra_deployer_oci.layers import Entry, tree_entries
    from mastra_deployer_oci.runtime import HOME

    manifest = msgspec.structs.replace(build.manifest, target="oci")
    text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)
    yield from tree_entries(build.directory / "app", f"{HOME}/app")
    yield Entry(path=f"{HOME}/index.py", source=build.directory / "index.py")
    yield Entry(path=f"{HOME}/{MANIFEST}", content=text + b"\n")


def _app_digest(build: Build) -> str:
    """Of the app's own sources: the same for every machine the app is built for."""
    root = build.directory / "app"
    digest = hashlib.sha256(build.manifest.python.encode())
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return f"sha256:{digest.hexdigest()}"


@hookimpl
def mastra_inspect(bundle: Bundle) -> list[Problem]:
    """Every layer is there, whole."""
    from mastra_deployer_oci.parts import BLOBS, read_parts

    found = []
    for layer in read_parts(bundle.directory).layers:
        path = bundle.directory / BLOBS / layer.digest.removeprefix("sha256:")
        if not path.is_file() or path.stat().st_size != layer.size:
            message = f"The layer {layer.purpose!r} ({layer.digest}) is not whole."
            found.append(Problem(message=message, hint="Bundle again: mastra bundle oci."))
    return found
