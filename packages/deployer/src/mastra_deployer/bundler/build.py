"""Build an app for one platform, unless the hook ``mastra_build`` of its deployer does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_core.errors import BuildError
from mastra_core.pipeline import Build, Platform, Project, Report, Target
from mastra_deployer.bundler.resolve.pyodide import is_pyodide
from mastra_deployer.bundler.sources.first_party import collect_sources
from mastra_deployer.bundler.staging import StagedApp, Staging
from mastra_deployer.bundler.verify.inspect_source import SourceReport, check_source, inspect_source
from mastra_deployer.bundler.verify.verify import BuildStart, find_differences, verify_build
from mastra_deployer.project.child_processes import interruptible_pool
from mastra_deployer.project.deployer_argument import find_mastra_calls
from mastra_deployer.project.discovery import find_module_file, parse_source
from mastra_deployer.project.entry_points import list_tool_packages
from mastra_deployer.project.interpreters import (
    Interpreter,
    find_project_interpreter,
    find_target_interpreter,
)
from mastra_deployer.project.wsgi_entry import is_wsgi_application

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


__all__ = ("build_app",)


def build_app(
    project: Project, target: Target, platform: Platform, directory: Path, report: Report
) -> Build:
    """Copy the app, install its dependencies, compile the code, and start the result in isolation.

    :param project: the app.
    :param target: the target, whose runtime requirements are included.
    :param platform: the platform to build for.
    :param directory: an empty directory that receives the build.
    :param report: receives progress and notes.
    :raises BuildError: when a step fails; the error has a hint with the solution.
    """
    interpreter = _find_interpreter(project, platform, report)
    staging = Staging(project, target, platform, directory, interpreter, report)
    report.step("Reading the app")
    # The app is imported while its copy is made and started. All child processes are started in the
    # threads of the pool: Ctrl-C could interrupt the main thread between the start of a child and
    # its registration, and the child would stay.
    with interruptible_pool(3) as pool:
        inspection = pool.submit(inspect_source, project)
        try:
            sources = collect_sources(project, list_tool_packages())
            staged_app = pool.submit(staging.stage, _detect_kind(project), sources).result()
        except BuildError:
            # The error of the import may be more precise than this one.
            check_source(project, inspection.result(), report)
            raise
        reducer = pool.submit(staging.create_reducer, staged_app)
        source, start = _start_beside_import(staging, staged_app, inspection, pool)
        kind = _read_kind(source, start) or staged_app.kind
        if kind != staged_app.kind:  # for example, the Mastra object is not made in the entry file
            staged_app = pool.submit(staging.stage, kind, sources).result()
            reducer = pool.submit(staging.create_reducer, staged_app)
            start = pool.submit(staging.start, staged_app).result()
        check_source(project, source, report)
        build, start_modules = verify_build(
            project, staged_app.build, interpreter, source, start, staged_app.inventory, report
        )
        return staging.adapt_bytecode(build, staged_app, reducer.result(), start_modules)


def _detect_kind(project: Project) -> str:
    """Return ``mastra``, ``asgi`` or ``wsgi`` for the entry file, without running it."""
    tree = parse_source(find_module_file(project))
    if find_mastra_calls(tree):
        return "mastra"
    return "wsgi" if is_wsgi_application(tree, project.attribute) else "asgi"


def _read_kind(source: SourceReport | None, start: BuildStart | None) -> str:
    """Return the kind of the application as the started app reports it; empty if unknown."""
    if source is not None:
        kind: str = source["kind"]
        return kind
    # Without its source, only the kind of another framework's application is known.
    return "wsgi" if start and start.registry.get("kind") == "wsgi" else ""


def _start_beside_import(
    staging: Staging,
    staged_app: StagedApp,
    inspection: Future[SourceReport | None],
    pool: ThreadPoolExecutor,
) -> tuple[SourceReport | None, BuildStart | None]:
    """Start the staged app in isolation while the app is imported from source.

    Both processes may need the same port or the same file. Therefore, if one of them fails, or
    if both report different objects, both run again, one after the other.

    :param staging: the build.
    :param staged_app: the app to start.
    :param inspection: the import from source.
    :param pool: starts the staged app.
    :returns: the report of the import, and the start in isolation. The start is ``None`` if
        this machine cannot start the app, or if the app is of another kind than the staged app.
    """
    if inspection.done():
        return inspection.result(), pool.submit(staging.start, staged_app).result()
    starting = pool.submit(staging.start, staged_app)
    from concurrent.futures import wait  # a build without changes needs no threads

    both: tuple[Future[Any], ...] = (inspection, starting)
    wait(both)  # for their end, because the caller may empty the directory
    if _finds_other_kind(inspection, staged_app.kind):
        return inspection.result(), None
    if _may_have_conflict(inspection, starting):
        source = pool.submit(inspect_source, staging.project).result()
        return source, pool.submit(staging.start, staged_app).result()
    return inspection.result(), starting.result()


def _finds_other_kind(inspection: Future[SourceReport | None], kind: str) -> bool:
    """Return whether the imported app is of another kind than the entry file suggests."""
    source = None if inspection.exception() is not None else inspection.result()
    return source is not None and source["kind"] != kind


def _may_have_conflict(
    inspection: Future[SourceReport | None], starting: Future[BuildStart | None]
) -> bool:
    """Return whether the import or the start may have failed because of the other process."""
    if starting.exception() is not None:
        return True
    start = starting.result()
    if start is None:  # the import ran alone
        return False
    if inspection.exception() is not None or start.has_failed:
        return True
    source = inspection.result()
    return source is not None and bool(find_differences(source, start.registry))


def _find_interpreter(project: Project, platform: Platform, report: Report) -> Interpreter | None:
    """Find a Python that can compile and start the build; without one, both steps are skipped."""
    if is_pyodide(platform):
        report.note(
            "A bundle for Pyodide has no bytecode, because a snapshot of the imported app replaces "
            "it. The build cannot start the app, because the app needs Pyodide.",
            "To try the bundle, use the deployer's preview.",
        )
        return None
    interpreter = find_target_interpreter(
        platform.python, find_project_interpreter(project), platform.interpreter
    )
    if interpreter is None:
        report.note(
            f"Python {platform.python} was not found on this machine. Therefore no bytecode was "
            "compiled, and the app was not started.",
            "Install that version, or pass --python PATH.",
        )
    return interpreter
