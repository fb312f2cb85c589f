"""Gets a version of the app as far as its import, the fastest way there is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence

from mastra_core.pipeline import Project
from mastra_deployer.bundler.verify.boot import check_found
from mastra_deployer.dev.app_error import Problem, explained, of_exit
from mastra_deployer.dev.console import Screen
from mastra_deployer.dev.options import DevOptions, entry_source
from mastra_deployer.dev.runtime import SERVING, runtime_tree
from mastra_deployer.dev.version import Launch, Report, Version, stamps
from mastra_deployer.project.discovery import module_file

__all__ = ("Broken", "Starter")

_SLOW = 10  # seconds of importing after which it is worth a word
_REST = 0.3  # seconds after a reload in which the machine is the app's alone


class Broken(Exception):
    """What was saved does not work; raised and caught inside this package."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Starter:
    """Starts processes, and has the next one waiting with the slow libraries imported."""

    def __init__(self, options: DevOptions, screen: Screen) -> None:
        self._options = options
        self._screen = screen
        self._runtime = ""
        self._preload: Sequence[str] = ()
        self._places: Mapping[str, int] = {}
        self._spare: Version | None = None
        self._preparing: asyncio.Task[None] | None = None

    async def imported(
        self, project: Project, values: Mapping[str, str], debug: str
    ) -> tuple[Version, Report]:
        """A process that has imported the app, and what the app has.

        :raises Broken: when it does not import.
        :raises ConfigError: when it is no application, or nothing is there to serve it.
        """
        launch = self._options.launch(project, values, self._runtime)
        version, report = await self._tried(launch, project, debug)
        if _lacks_server(report) and not self._runtime:
            await version.kill()
            tree = await asyncio.to_thread(runtime_tree, launch.interpreter, self._screen)
            self._runtime = str(tree)
            return await self.imported(project, values, debug)
        try:
            return version, self._registry(project, launch, report)
        except BaseException:
            await version.kill()
            raise

    def prepare(self, launch: Launch) -> None:
        """Have a process waiting for the next save, soon."""
        self.rest()
        if not launch.debug and self._preload:
            self._preparing = asyncio.create_task(self._prepare(launch))

    def rest(self) -> None:
        """Prepare nothing now."""
        if self._preparing is not None:
            self._preparing.cancel()

    async def stop(self) -> None:
        """End the process that waits."""
        self.rest()
        spare, self._spare = self._spare, None
        if spare is not None:
            await spare.kill()

    async def _tried(self, launch: Launch, project: Project, debug: str) -> tuple[Version, Report]:
        entry = module_file(project)
        version = await self._taken(launch)
        try:
            with self._patience(debug):
                report = await version.load(project, entry, entry_source(entry), debug)
        except BaseException:
            await version.kill()
            raise
        return version, report

    async def _taken(self, launch: Launch) -> Version:
        """The process that waits, where it is still good; else a new one."""
        self.rest()
        spare, self._spare = self._spare, None
        if spare is not None:
            if spare.is_current(launch, self._places):
                return spare
            await spare.kill()
        return await Version.start(launch, self._heard)

    async def _prepare(self, launch: Launch) -> None:
        await asyncio.sleep(_REST)
        places = stamps(list(self._places))
        if self._spare is None:
            self._spare = await Version.start(launch, self._heard, self._preload)
            self._places = places

    def _registry(self, project: Project, launch: Launch, report: Report) -> Report:
        if report["event"] == "exit":
            raise Broken(of_exit(report["code"], served=False))
        if not report["ok"]:
            raise Broken(explained(project, launch.interpreter, report["error"]))
        registry: Report = report["registry"]
        check_found(project, registry)
        self._preload = report["preload"]
        self._places = stamps(report["places"])
        return registry

    @contextlib.contextmanager
    def _patience(self, debug: str) -> Iterator[None]:
        """Say so when an import goes on and on; the next save ends it in any case."""
        loop = asyncio.get_running_loop()
        handle = loop.call_later(
            _SLOW,
            self._screen.note,
            f"The app is still being imported after {_SLOW} seconds.",
            "Move what waits or serves out of import time, into a function or a lifespan.",
        )
        if debug:
            handle.cancel()
        try:
            yield
        finally:
            handle.cancel()

    def _heard(self, report: Report) -> None:
        if report["event"] == "debugger":
            self._screen.step(f"A debugger can attach to {self._options.debug}")
        else:
            self._screen.note(report["text"])


def _lacks_server(report: Report) -> bool:
    """Whether the project's Python lacks what serves the app, rather than what the app needs."""
    error = report.get("error") or {}
    missing = str(error.get("missing") or "")
    return missing.partition(".")[0] in SERVING
