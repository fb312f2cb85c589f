"""Write the zips of the functions: the Node part, the Python interpreter, and the app."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from mastra_core.freezing import BackgroundRole
from mastra_core.pipeline import Build, Report
from mastra_deployer.kit import (
    ArchiveEntry,
    NpmPackage,
    get_npm_package,
    iter_entries,
    render_launcher,
    write_zip,
)
from mastra_deployer_netlify.bundle.function_limits import UNZIPPED, ZIPPED, measure_function
from mastra_deployer_netlify.bundle.interpreter_archive import (
    HOME,
    LIBRARIES,
    Interpreter,
    write_interpreter,
)
from mastra_deployer_netlify.settings import NetlifyDeployer

__all__ = ("BACKGROUND_FUNCTION", "BOOTSTRAP", "FUNCTION", "write_function_archives")

# The part of a function that talks to AWS Lambda, as Netlify's own builder adds it.
BOOTSTRAP = NpmPackage(
    name="@netlify/serverless-functions-api",
    version="2.23.0",
    integrity="sha512-sMa2wKiod8CjtPDXk9uZHDGO1ZxCtnybZaHhc7vX/WzO7Y3h3SWr00V8cgPpB1sLmbyFwv8IYZzyO"
    "cKpuGLlnw==",
)
FUNCTION = "api"
BACKGROUND_FUNCTION = "api-background"  # this end of the name marks a background function too
_SOURCES = Path(__file__).with_name("function")
_LAUNCHER = "netlify_app_launcher.py"  # `host_child` imports it
_MODULES = ("app_process.mjs", "background.mjs", "facts.mjs", "handler.mjs", "invocation.mjs")
Bytecode = Literal["all", "imported", "standard library", "none"]
# What a smaller function costs, as measured with an app of 40 MB.
_COSTS: Mapping[Bytecode, str] = {
    "imported": "It has only the bytecode of modules that the app imports: other modules are "
    "compiled when an instance first imports them.",
    "standard library": "It has only the bytecode of the standard library: an instance starts "
    "about three times slower.",
    "none": "It has no bytecode, so an instance starts about four times slower.",
}


def write_function_archives(
    build: Build, settings: NetlifyDeployer, directory: Path, report: Report
) -> Interpreter:
    """Write one zip for each function, and leave out bytecode that exceeds Netlify's limits.

    The zip of the background function has the same content as the zip of the web function, except
    for two small files.

    :param build: the finished build.
    :param settings: settings of the deployer.
    :param directory: the directory for the zips, each of which gets the name of its function.
    :param report: receives progress, and a note about bytecode that was left out.
    :returns: the interpreter that the functions contain.
    :raises BundleError: when this machine has no suitable interpreter.
    """
    bootstrap = get_npm_package(BOOTSTRAP, report)
    interpreter = _write(build, settings, directory, bootstrap, "all", report)
    for bytecode, cost in _COSTS.items():
        zipped, unzipped = measure_function(directory / f"{FUNCTION}.zip")
        if zipped <= ZIPPED and unzipped <= UNZIPPED:
            break
        interpreter = _write(build, settings, directory, bootstrap, bytecode, report)
        report.note(
            f"With more bytecode, the function would have {zipped:,} bytes zipped and {unzipped:,} "
            "unzipped, which is more than Netlify allows.",
            cost,
        )
    return interpreter


def _write(
    build: Build,
    settings: NetlifyDeployer,
    directory: Path,
    bootstrap: Path,
    bytecode: Bytecode,
    report: Report,
) -> Interpreter:
    file, has_bytecode = directory / f"{FUNCTION}.zip", bytecode != "none"
    interpreter = write_interpreter(
        build, settings.interpreter, file, report, bytecode=has_bytecode
    )
    launcher = render_launcher(_LAUNCHER, build.directory, build.manifest)
    entries = [
        *_iter_node_entries(bootstrap),
        ArchiveEntry(path=_LAUNCHER, content=launcher),
        *_iter_app_entries(build, bytecode),
    ]
    _append(file, entries)  # the interpreter is compressed already
    if settings.background:
        background = directory / f"{BACKGROUND_FUNCTION}.zip"
        shutil.copyfile(file, background)
        _append(background, _iter_own_entries(BACKGROUND_FUNCTION, "worker", interpreter))
    role: BackgroundRole = "caller" if settings.background else ""
    _append(file, _iter_own_entries(FUNCTION, role, interpreter))
    return interpreter


def _append(file: Path, entries: Iterable[ArchiveEntry]) -> None:
    with file.open("r+b") as target:
        write_zip(entries, target, append=True)


def _iter_app_entries(build: Build, bytecode: Bytecode) -> Iterator[ArchiveEntry]:
    for name in ("app", "vendor", "bin"):
        if not (build.directory / name).is_dir():
            continue
        for entry in iter_entries(build.directory / name, name):
            is_imported = bytecode == "imported" and entry.path in build.imported
            if bytecode == "all" or is_imported or not entry.path.endswith(".pyc"):
                yield entry


def _iter_own_entries(
    name: str, role: BackgroundRole, interpreter: Interpreter
) -> Iterator[ArchiveEntry]:
    """Yield the files that differ among functions: the entry point and its configuration."""
    facts = {
        "function": name,  # two functions with the same content would be one to Netlify
        "home": HOME,
        "libraries": LIBRARIES,
        "loader": interpreter.loader,
        "python": interpreter.python,
        **({"role": role} if role else {}),
    }
    export = b'export { handler } from "./___netlify-entry-point.mjs";\n'
    yield ArchiveEntry(path=f"{name}.mjs", content=export)
    yield ArchiveEntry(path="mastra.json", content=_encode(facts))


def _iter_node_entries(bootstrap: Path) -> Iterator[ArchiveEntry]:
    """Yield the files that Netlify's own builder adds to a function, and then those of mastra."""
    metadata = {"bootstrap_version": BOOTSTRAP.version, "version": 1}
    yield ArchiveEntry(path="___netlify-entry-point.mjs", source=_SOURCES / "entry_point.mjs")
    yield ArchiveEntry(path="___netlify-bootstrap.mjs", source=bootstrap / "dist/index.js")
    yield ArchiveEntry(path="___netlify-metadata.json", content=_encode(metadata))
    yield ArchiveEntry(path="___netlify-telemetry.mjs", content=b"export {};\n")
    for name in _MODULES:
        yield ArchiveEntry(path=name, source=_SOURCES / name)
    yield ArchiveEntry(path="host.py", source=Path(__file__).with_name("host_child.py"))


def _encode(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"
