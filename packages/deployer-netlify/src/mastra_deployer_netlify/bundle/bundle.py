"""Write a bundle: a zipped Node function that carries Python and the app."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from mastra_core.pipeline import Build, Bundle, Report
from mastra_deployer.kit import (
    ArchiveEntry,
    NpmPackage,
    copy_static_files,
    get_npm_package,
    iter_entries,
    write_launcher,
    write_zip,
)
from mastra_deployer_netlify.bundle.interpreter_archive import (
    HOME,
    LIBRARIES,
    Interpreter,
    write_interpreter,
)
from mastra_deployer_netlify.bundle.output import (
    FUNCTIONS,
    STATIC,
    FunctionConfig,
    write_functions,
)
from mastra_deployer_netlify.settings import NetlifyDeployer

__all__ = ("BOOTSTRAP", "write_bundle")

# The part of a function that talks to AWS Lambda, as Netlify's own builder adds it.
BOOTSTRAP = NpmPackage(
    name="@netlify/serverless-functions-api",
    version="2.23.0",
    integrity="sha512-sMa2wKiod8CjtPDXk9uZHDGO1ZxCtnybZaHhc7vX/WzO7Y3h3SWr00V8cgPpB1sLmbyFwv8IYZzyO"
    "cKpuGLlnw==",
)
_NAME = "api"  # of the function
_ALL_PATHS = {"pattern": "/*", "expression": "^(?:\\/(.*))\\/?$"}
_SOURCES = Path(__file__).with_name("function")


def write_bundle(
    build: Build, directory: Path, settings: NetlifyDeployer, report: Report
) -> Bundle:
    """Write the function, its manifest and the static files into the directory of a bundle.

    :param build: the finished build.
    :param directory: the empty directory of the bundle.
    :param settings: settings of the deployer.
    :param report: receives progress.
    :returns: the sealed bundle; the interpreter is one of the parts whose sizes it tells.
    :raises BundleError: when the app or the machine lacks what the bundle needs.
    """
    path = f"{FUNCTIONS}/{_NAME}.zip"
    bootstrap = get_npm_package(BOOTSTRAP, report)
    file = directory / path
    file.parent.mkdir(parents=True)
    interpreter = write_interpreter(build, settings.interpreter, file)
    with tempfile.TemporaryDirectory(prefix="mastra-netlify-") as temporary:
        launcher = Path(temporary) / "app_launcher.py"
        write_launcher(launcher, build.manifest)
        entries = [
            *_iter_node_entries(bootstrap, interpreter),
            ArchiveEntry(path=launcher.name, source=launcher),
            *iter_entries(build.directory / "app", "app"),
            *iter_entries(build.directory / "vendor", "vendor"),
        ]
        _append(entries, file)
    copy_static_files(build, settings.static, directory / STATIC)
    write_functions(directory, [_build_config(path, settings)])
    sizes = {**build.manifest.sizes, f"Python {build.platform.python}": interpreter.size}
    manifest = msgspec.structs.replace(build.manifest, sizes=sizes)
    return Bundle.seal(dataclasses.replace(build, manifest=manifest), directory, "netlify")


def _iter_node_entries(bootstrap: Path, interpreter: Interpreter) -> Iterator[ArchiveEntry]:
    """Yield the files that Netlify's builder adds to a function, and ours."""
    entry_point = (_SOURCES / "entry_point.mjs").read_bytes()
    metadata = {"bootstrap_version": BOOTSTRAP.version, "version": 1}
    facts = {
        "function": _NAME,  # two functions with the same content would be one to Netlify
        "home": HOME,
        "libraries": LIBRARIES,
        "loader": interpreter.loader,
        "python": interpreter.python,
    }
    export = b'export { handler } from "./___netlify-entry-point.mjs";\n'
    yield ArchiveEntry(path="___netlify-entry-point.mjs", content=entry_point)
    yield ArchiveEntry(path="___netlify-bootstrap.mjs", source=bootstrap / "dist/index.js")
    yield ArchiveEntry(path="___netlify-metadata.json", content=_encode(metadata))
    yield ArchiveEntry(path="___netlify-telemetry.mjs", content=b"export {};\n")
    yield ArchiveEntry(path=f"{_NAME}.mjs", content=export)
    yield ArchiveEntry(path="handler.mjs", source=_SOURCES / "handler.mjs")
    yield ArchiveEntry(path="host.py", source=Path(__file__).with_name("host_child.py"))
    yield ArchiveEntry(path="mastra.json", content=_encode(facts))


def _append(entries: list[ArchiveEntry], file: Path) -> None:
    """Append entries to a zip; what it has is not compressed again."""
    with file.open("r+b") as target:
        write_zip(entries, target, append=True)


def _build_config(path: str, settings: NetlifyDeployer) -> FunctionConfig:
    route = {**_ALL_PATHS, "methods": [], **({"prefer_static": True} if settings.static else {})}
    return FunctionConfig(
        name=_NAME,
        path=path,
        routes=(route,),
        build_data={"bootstrapVersion": BOOTSTRAP.version, "runtimeAPIVersion": 2},
        region=settings.region,
        memory=settings.memory,
    )


def _encode(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"
