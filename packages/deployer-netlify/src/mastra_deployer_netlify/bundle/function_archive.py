"""Write the zip of a function: the Node part, the Python interpreter, and the app."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

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

__all__ = ("BOOTSTRAP", "FUNCTION", "write_function")

# The part of a function that talks to AWS Lambda, as Netlify's own builder adds it.
BOOTSTRAP = NpmPackage(
    name="@netlify/serverless-functions-api",
    version="2.23.0",
    integrity="sha512-sMa2wKiod8CjtPDXk9uZHDGO1ZxCtnybZaHhc7vX/WzO7Y3h3SWr00V8cgPpB1sLmbyFwv8IYZzyO"
    "cKpuGLlnw==",
)
FUNCTION = "api"
_SOURCES = Path(__file__).with_name("function")
_LAUNCHER = "netlify_app_launcher.py"  # `host_child` imports it
_MODULES = ("app_process.mjs", "handler.mjs", "invocation.mjs")
Bytecode = Literal["all", "imported", "standard library", "none"]
# What a smaller function costs, as measured with an app of 40 MB.
_COSTS: Mapping[Bytecode, str] = {
    "imported": "It has only the bytecode of modules that the app imports: other modules are "
    "compiled when an instance first imports them.",
    "standard library": "It has only the bytecode of the standard library: an instance starts "
    "about three times slower.",
    "none": "It has no bytecode, so an instance starts about four times slower.",
}


def write_function(build: Build, source: str, file: Path, report: Report) -> Interpreter:
    """Write the zip of a function, and leave out bytecode that exceeds Netlify's limits.

    :param build: the finished build.
    :param source: the setting ``interpreter``.
    :param file: the new zip.
    :param report: receives progress, and the step that was taken to make the function smaller.
    :returns: the interpreter in the function.
    :raises BundleError: when this machine has no suitable interpreter.
    """
    bootstrap = get_npm_package(BOOTSTRAP, report)
    interpreter = _write(build, source, file, bootstrap, "all", report)
    for bytecode, cost in _COSTS.items():
        zipped, unzipped = measure_function(file)
        if zipped <= ZIPPED and unzipped <= UNZIPPED:
            break
        interpreter = _write(build, source, file, bootstrap, bytecode, report)
        report.note(
            f"With more bytecode, the function would have {zipped:,} bytes zipped and {unzipped:,} "
            "unzipped, which is more than Netlify allows.",
            cost,
        )
    return interpreter


def _write(
    build: Build, source: str, file: Path, bootstrap: Path, bytecode: Bytecode, report: Report
) -> Interpreter:
    interpreter = write_interpreter(build, source, file, report, bytecode=bytecode != "none")
    launcher = render_launcher(_LAUNCHER, build.directory, build.manifest)
    entries = [
        *_iter_node_entries(bootstrap, interpreter),
        ArchiveEntry(path=_LAUNCHER, content=launcher),
        *_iter_app_entries(build, bytecode),
    ]
    with file.open("r+b") as target:
        write_zip(entries, target, append=True)  # the interpreter is compressed already
    return interpreter


def _iter_app_entries(build: Build, bytecode: Bytecode) -> Iterator[ArchiveEntry]:
    for name in ("app", "vendor", "bin"):
        if not (build.directory / name).is_dir():
            continue
        for entry in iter_entries(build.directory / name, name):
            is_imported = bytecode == "imported" and entry.path in build.imported
            if bytecode == "all" or is_imported or not entry.path.endswith(".pyc"):
                yield entry


def _iter_node_entries(bootstrap: Path, interpreter: Interpreter) -> Iterator[ArchiveEntry]:
    """Yield the files that Netlify's own builder adds to a function, and then those of mastra."""
    metadata = {"bootstrap_version": BOOTSTRAP.version, "version": 1}
    facts = {
        "function": FUNCTION,  # two functions with the same content would be one to Netlify
        "home": HOME,
        "libraries": LIBRARIES,
        "loader": interpreter.loader,
        "python": interpreter.python,
    }
    export = b'export { handler } from "./___netlify-entry-point.mjs";\n'
    yield ArchiveEntry(path="___netlify-entry-point.mjs", source=_SOURCES / "entry_point.mjs")
    yield ArchiveEntry(path="___netlify-bootstrap.mjs", source=bootstrap / "dist/index.js")
    yield ArchiveEntry(path="___netlify-metadata.json", content=_encode(metadata))
    yield ArchiveEntry(path="___netlify-telemetry.mjs", content=b"export {};\n")
    yield ArchiveEntry(path=f"{FUNCTION}.mjs", content=export)
    for name in _MODULES:
        yield ArchiveEntry(path=name, source=_SOURCES / name)
    yield ArchiveEntry(path="host.py", source=Path(__file__).with_name("host_child.py"))
    yield ArchiveEntry(path="mastra.json", content=_encode(facts))


def _encode(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"
