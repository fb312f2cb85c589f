"""Start a process and import the app in it; a standby process makes this faster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Project
from mastra_deployer.bundler.verify.check_entry import check_entry
from mastra_deployer.dev.app_error import AppProblem, explain, problem_from_exit
from mastra_deployer.dev.console import Screen
from mastra_deployer.dev.editable_sources import find_editable_sources
from mastra_deployer.dev.options import DevOptions, read_entry_source
from mastra_deployer.dev.server_packages import (
    SERVER_MODULES,
    install_runtime,
    needs_runtime,
)
from mastra_deployer.dev.version import Launch, Report, Version, read_mtimes
from mastra_deployer.project.discovery import find_module_file

__all__ = ("StartError", "Starter")

_SLOW = 10  # seconds of importing after which a note is printed
_PREPARE_DELAY = 0.3  # seconds after a reload, so that preparing does not slow the app down


class StartError(Exception):
    """The saved app does not start. ``StartError`` is raised and caught only in this package.

    :param problem: the problem of the app.
    """

    def __init__(self, problem: AppProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Starter:
    """Starts the app's processes; a standby process has already imported slow libraries.

    :param options: the options of the command line.
    :param screen: receives notes.
    """

    def __init__(self, options: DevOptions, screen: Screen) -> None:
        self._options = options
        self._screen = screen
        self._runtime = ""
        self.editables: tuple[Path, ...] = ()
        self._preload: Sequence[str] = ()
        self._package_mtimes: Mapping[str, int] = {}
        self._standby: Version | None = None
        self._preparing: asyncio.Task[None] | None = None

    async def import_app(
        self, project: Project, values: Mapping[str, str], debug: str
    ) -> tuple[Version, Report]:
        """Return a process that has imported the app, and the registry of the app.

        :param project: the project as it is saved now.
        :param values: the app's environment.
        :param debug: ``host:port`` on which the app waits for a debugger; empty for none.
        :raises StartError: when the import fails.
        :raises ConfigError: when the entry names an object that is no application, or the server
            cannot be installed.
        """
        launch = self._options.build_launch(project, values, self._runtime, self.editables)
        if not self._runtime and needs_runtime(launch.interpreter):
            with contextlib.suppress(ConfigError):  # the environment may have the server by now
                await self._install_runtime(launch)
            launch = self._options.build_launch(project, values, self._runtime, self.editables)
        version, report = await self._load(launch, project, debug)
        self.editables = find_editable_sources(report.get("places", ()), project.root)
        if _lacks_server(report) and not self._runtime:
            await version.kill()
            await self._install_runtime(launch)
            return await self.import_app(project, values, debug)
        try:
            return version, self._check_report(project, launch, report)
        except BaseException:
            await version.kill()
            raise

    async def _install_runtime(self, launch: Launch) -> None:
        tree = await asyncio.to_thread(install_runtime, launch.interpreter, self._screen)
        self._runtime = str(tree)

    def prepare(self, launch: Launch) -> None:
        """Start a standby process for the next save, after a short delay.

        :param launch: the launch of the version that serves.
        """
        self.cancel_preparation()
        if not launch.debug and self._preload:
            self._preparing = asyncio.create_task(self._prepare(launch))

    def cancel_preparation(self) -> None:
        """Cancel the start of a standby process."""
        if self._preparing is not None:
            self._preparing.cancel()

    async def stop(self) -> None:
        """End the standby process."""
        self.cancel_preparation()
        standby, self._standby = self._standby, None
        if standby is not None:
            await standby.kill()

    async def _load(self, launch: Launch, project: Project, debug: str) -> tuple[Version, Report]:
        entry = find_module_file(project)
        version = await self._take_process(launch)
        try:
            with self._warn_if_slow(debug):
                report = await version.load(project, entry, read_entry_source(entry), debug)
        except BaseException:
            await version.kill()
            raise
        return version, report

    async def _take_process(self, launch: Launch) -> Version:
        """Return the standby process if it is current, or else a new process."""
        self.cancel_preparation()
        standby, self._standby = self._standby, None
        if standby is not None:
            if standby.is_current(launch, self._package_mtimes):
                return standby
            await standby.kill()
        return await Version.start(launch, self._handle_report)

    async def _prepare(self, launch: Launch) -> None:
        await asyncio.sleep(_PREPARE_DELAY)
        mtimes = read_mtimes(list(self._package_mtimes))
        if self._standby is None:
            self._standby = await Version.start(launch, self._handle_report, self._preload)
            self._package_mtimes = mtimes

    def _check_report(self, project: Project, launch: Launch, report: Report) -> Report:
        if report["event"] == "exit":
            raise StartError(problem_from_exit(report["code"], has_served=False))
        if not report["ok"]:
            raise StartError(explain(project, launch.interpreter, report["error"]))
        registry: Report = report["registry"]
        check_entry(project, registry)
        self._preload = report["preload"]
        self._package_mtimes = read_mtimes(report["places"])
        return registry

    @contextlib.contextmanager
    def _warn_if_slow(self, debug: str) -> Iterator[None]:
        """Print a note if the import of the app takes long; do not cancel the import."""
        loop = asyncio.get_running_loop()
        handle = loop.call_later(
            _SLOW,
            self._screen.note,
            f"The import of the app has not finished after {_SLOW} seconds.",
            "Move code that waits or starts a server into a function or a lifespan, so that this "
            "code does not run at import.",
        )
        if debug:
            handle.cancel()
        try:
            yield
        finally:
            handle.cancel()

    def _handle_report(self, report: Report) -> None:
        if report["event"] == "debugger":
            self._screen.step(f"A debugger can attach to {self._options.debug}")
        else:
            self._screen.note(report["text"])


def _lacks_server(report: Report) -> bool:
    """Return whether a module of the server is missing in the project's Python."""
    error = report.get("error") or {}
    missing = str(error.get("missing") or "")
    return missing.partition(".")[0] in SERVER_MODULES
