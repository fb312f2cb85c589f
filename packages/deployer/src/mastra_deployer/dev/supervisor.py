"""Start a new version of the app at every save, and let it serve after its start."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Collection, Mapping

from mastra_core.agents.providers import get_requirements
from mastra_core.errors import MastraError
from mastra_core.pipeline import Project
from mastra_deployer.dev.active_version import ActiveVersion
from mastra_deployer.dev.app_error import explain, problem_from_error, problem_from_exit
from mastra_deployer.dev.console import Screen
from mastra_deployer.dev.debugger import require_debugpy
from mastra_deployer.dev.instance import InstanceFile
from mastra_deployer.dev.listener import Address
from mastra_deployer.dev.local_access_child import LocalAccess
from mastra_deployer.dev.options import DevOptions, collect_secrets
from mastra_deployer.dev.starter import Starter, StartError
from mastra_deployer.dev.version import Launch, Report, Version
from mastra_deployer.dev.watch import FileWatcher
from mastra_deployer.project.discovery import find_module_file
from mastra_deployer.project.interpreters import find_project_interpreter

__all__ = ("develop",)

_INTERRUPTED, _HUNG_UP = 130, 129


def develop(options: DevOptions, screen: Screen) -> int:
    """Serve until a signal, and return the exit code: 0 for SIGTERM, 130 for Ctrl-C, and
    129 if the terminal is closed.

    :param options: the options of the command line.
    :param screen: receives all output.
    :raises ConfigError: for an error that a save cannot fix: no project or entry module, no
        debugger, or a required port that is taken.
    """
    project = options.find_project()
    find_module_file(project)
    if options.debug:
        require_debugpy(find_project_interpreter(project))
    port = options.get_port(options.read_values(project))
    # asyncio warns when the end of a child is noticed twice, which is harmless.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with contextlib.closing(InstanceFile(project)) as instance:
        address = Address(options.host, port, instance, screen)
        return asyncio.run(_Supervisor(options, screen, project, address).run())


class _Supervisor:
    """One version serves; each save starts another version, which replaces the serving one."""

    def __init__(
        self, options: DevOptions, screen: Screen, project: Project, address: Address
    ) -> None:
        self._options = options
        self._screen = screen
        self._project = project
        self._address = address
        self._starter = Starter(options, screen)
        access = LocalAccess("mastra dev", options.host, options.get_hosts(project))
        self._active = ActiveVersion(address, screen, access)
        self._launch: Launch | None = None  # of the last version that served
        self._missing: list[str] = []
        self._missing_modules: Mapping[str, list[str]] = {}
        self._switching = False

    async def run(self) -> int:
        """Serve until a signal; a second signal skips the drain."""
        loop = asyncio.get_running_loop()
        stopped: asyncio.Future[int] = loop.create_future()

        def stop(code: int) -> None:
            if stopped.done():
                self._active.kill_all()
            else:
                stopped.set_result(code)

        loop.add_signal_handler(signal.SIGINT, stop, _INTERRUPTED)
        loop.add_signal_handler(signal.SIGTERM, stop, 0)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            loop.add_signal_handler(signal.SIGHUP, stop, _HUNG_UP)
        work = asyncio.create_task(self._run_attempts())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        await asyncio.wait({work})
        await self._starter.stop()
        await self._active.shut_down()
        return stopped.result() if stopped.done() else work.result()

    async def _run_attempts(self) -> int:
        """Try to start the app now, and again after every save.

        A save during an attempt cancels the attempt. The next attempt includes the changes of both
        saves.
        """
        watcher = FileWatcher(self._project, self._options.env_file, self._screen)
        saved: set[str] = set()
        attempt = asyncio.create_task(self._try_version(frozenset()))
        try:
            while True:
                change = asyncio.create_task(watcher.wait_for_changes())
                await asyncio.wait({attempt, change}, return_when=asyncio.FIRST_COMPLETED)
                if attempt.done():
                    attempt.result()
                    saved.clear()
                    watcher.update_project(self._project, self._starter.editables)
                saved |= await change
                await self._cancel_attempt(attempt)
                attempt = asyncio.create_task(self._try_version(frozenset(saved)))
        finally:
            watcher.stop()
            change.cancel()
            await self._cancel_attempt(attempt)

    async def _cancel_attempt(self, attempt: asyncio.Task[None]) -> None:
        """Cancel an attempt, unless its version is taking over."""
        if not self._switching:
            attempt.cancel()
        await asyncio.wait({attempt})

    async def _try_version(self, files: Collection[str]) -> None:
        started = time.monotonic()
        values: Mapping[str, str] = {}
        try:
            self._project = self._options.find_project()
            values = self._options.read_values(self._project)
            self._report_missing(values)
            version, registry = await self._load(values)
            self._report_missing_modules(registry)
            await self._serve(version, registry)
            self._switching = True
            await self._take_over(version, registry, files, started)
        except StartError as error:
            problem = error.problem
        except MastraError as error:
            problem = problem_from_error(self._project, error)
        else:
            return
        finally:
            self._switching = False
        await self._active.show_problem(problem.redact(collect_secrets(values)))
        self._prepare()

    async def _load(self, values: Mapping[str, str]) -> tuple[Version, Report]:
        debug = self._options.debug if self._launch is None else ""
        return await self._starter.import_app(self._project, values, debug)

    async def _serve(self, version: Version, registry: Report) -> None:
        """Let a version serve together with the previous version.

        :raises StartError: when the lifespan of the version does not start.
        """
        listener = self._address.bind(registry.get("serve", {}).get("port", 3000))
        try:
            report = await version.serve(listener)
        except BaseException:
            self._active.retire(version)  # the version may have accepted requests
            raise
        if report["event"] == "serving":
            return
        await version.kill()
        if report["event"] == "exit":
            raise StartError(problem_from_exit(report["code"], has_served=False))
        raise StartError(explain(self._project, version.launch.interpreter, report["error"]))

    async def _take_over(
        self, version: Version, registry: Report, files: Collection[str], start: float
    ) -> None:
        first, self._launch = self._launch is None, version.launch
        running = await self._active.take_over(version, "" if first else self._options.debug)
        seconds = time.monotonic() - start
        if first:
            variable = registry["example"].get("token", "")
            token = self._options.format_token(self._project, variable)
            self._screen.show_ready(self._project.name, self._address.url, registry, seconds, token)
            self._screen.step(f"Relative paths start at {self._project.root}")
        else:
            self._screen.show_reload(files, seconds, running)
        self._prepare()

    def _prepare(self) -> None:
        if self._launch is not None:
            self._starter.prepare(self._launch)

    def _report_missing(self, values: Mapping[str, str]) -> None:
        """Report required variables without a value, if the list has changed."""
        required = self._project.environment.required
        missing = [name for name in required if not values.get(name, "").strip()]
        if missing and missing != self._missing:
            self._screen.note(
                f"Required environment variables are not set: {', '.join(missing)}.",
                "Set them, or put them in .env. Code that needs them fails without them.",
            )
        self._missing = missing

    def _report_missing_modules(self, registry: Report) -> None:
        """If the list of missing modules has changed, report the agents that need them."""
        missing: Mapping[str, list[str]] = registry.get("missing", {})
        if missing != self._missing_modules:
            for agent, modules in missing.items():
                packages = " ".join(map(repr, get_requirements(modules)))
                self._screen.note(
                    f"The agent {agent!r} needs {' and '.join(map(repr, modules))}, which cannot "
                    "be imported.",
                    f"To run this agent, install: pip install {packages}.",
                )
        self._missing_modules = missing
