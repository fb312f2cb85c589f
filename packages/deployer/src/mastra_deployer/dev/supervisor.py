"""Tries what is saved, and lets it serve once it has started."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Collection, Mapping

from mastra_core.errors import MastraError
from mastra_core.pipeline import Project
from mastra_deployer.dev.active_version import Serving
from mastra_deployer.dev.app_error import explained, of_error, of_exit
from mastra_deployer.dev.console import Screen
from mastra_deployer.dev.debugger import require_debugpy
from mastra_deployer.dev.instance import Running
from mastra_deployer.dev.listener import Address
from mastra_deployer.dev.options import DevOptions, secrets_of
from mastra_deployer.dev.starter import Broken, Starter
from mastra_deployer.dev.version import Launch, Report, Version
from mastra_deployer.dev.watch import Watch
from mastra_deployer.project.discovery import module_file
from mastra_deployer.project.interpreters import project_interpreter

__all__ = ("develop",)

_INTERRUPTED = 130


def develop(options: DevOptions, screen: Screen) -> int:
    """Run until somebody stops it; the exit code: 0 for SIGTERM, 130 for Ctrl-C.

    :raises ConfigError: for what no save of the app's code would mend: no such project or entry,
        no debugger, a port that is taken and was asked for.
    """
    project = options.project()
    module_file(project)
    if options.debug:
        require_debugpy(project_interpreter(project))
    named = options.named_port(options.values(project))
    # It warns where a child's end was seen in two places at once, which is no news to anybody.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with contextlib.closing(Running(project)) as running:
        address = Address(options.host, named, running, screen)
        return asyncio.run(_Supervisor(options, screen, project, address).run())


class _Supervisor:
    """One version serves; the next is tried at each save, and takes over when it has started."""

    def __init__(
        self, options: DevOptions, screen: Screen, project: Project, address: Address
    ) -> None:
        self._options = options
        self._screen = screen
        self._project = project
        self._address = address
        self._starter = Starter(options, screen)
        self._serving = Serving(address, screen)
        self._launch: Launch | None = None  # of the last version that served
        self._missing: list[str] = []
        self._switching = False

    async def run(self) -> int:
        """Serve until a signal asks to stop; asked twice, at once."""
        loop = asyncio.get_running_loop()
        stopped: asyncio.Future[int] = loop.create_future()

        def stop(code: int) -> None:
            if stopped.done():
                self._serving.force()
            else:
                stopped.set_result(code)

        loop.add_signal_handler(signal.SIGINT, stop, _INTERRUPTED)
        loop.add_signal_handler(signal.SIGTERM, stop, 0)
        work = asyncio.create_task(self._follow())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        await asyncio.wait({work})
        await self._starter.stop()
        await self._serving.end()
        return stopped.result() if stopped.done() else work.result()

    async def _follow(self) -> int:
        """Try what is there, and again whenever something is saved.

        A save during a try ends it, and the next one stands for both.
        """
        watch = Watch(self._project, self._options.env_file, self._screen)
        saved: set[str] = set()
        attempt = asyncio.create_task(self._attempt(frozenset()))
        try:
            while True:
                change = asyncio.create_task(watch.next())
                await asyncio.wait({attempt, change}, return_when=asyncio.FIRST_COMPLETED)
                if attempt.done():
                    attempt.result()
                    saved.clear()
                    watch.follow(self._project)
                saved |= await change
                await self._ended(attempt)
                attempt = asyncio.create_task(self._attempt(frozenset(saved)))
        finally:
            watch.stop()
            change.cancel()
            await self._ended(attempt)

    async def _ended(self, attempt: asyncio.Task[None]) -> None:
        """Let a try go that is not through yet; a version that serves is not ended half way."""
        if not self._switching:
            attempt.cancel()
        await asyncio.wait({attempt})

    async def _attempt(self, saved: Collection[str]) -> None:
        started = time.monotonic()
        values: Mapping[str, str] = {}
        try:
            self._project = self._options.project()
            values = self._options.values(self._project)
            self._name_missing(values)
            version, registry = await self._loaded(values)
            await self._serve(version, registry)
            self._switching = True
            await self._take_over(version, registry, saved, started)
        except Broken as broken:
            problem = broken.problem
        except MastraError as error:
            problem = of_error(self._project, error)
        else:
            return
        finally:
            self._switching = False
        await self._serving.refuse(problem.hiding(secrets_of(values)))
        self._prepare()

    async def _loaded(self, values: Mapping[str, str]) -> tuple[Version, Report]:
        debug = self._options.debug if self._launch is None else ""
        return await self._starter.imported(self._project, values, debug)

    async def _serve(self, version: Version, registry: Report) -> None:
        """Have a version take requests, beside the one before.

        :raises Broken: when its lifespan does not start.
        """
        listener = self._address.bind(registry.get("serve", {}).get("port", 3000))
        try:
            report = await version.serve(listener)
        except BaseException:
            self._serving.retire(version)  # it may be answering already
            raise
        if report["event"] == "serving":
            return
        await version.kill()
        if report["event"] == "exit":
            raise Broken(of_exit(report["code"], served=False))
        raise Broken(explained(self._project, version.launch.interpreter, report["error"]))

    async def _take_over(
        self, version: Version, registry: Report, saved: Collection[str], started: float
    ) -> None:
        first, self._launch = self._launch is None, version.launch
        await self._serving.take_over(version, "" if first else self._options.debug)
        seconds = time.monotonic() - started
        if first:
            self._screen.ready(self._project.name, self._address.url, registry, seconds)
        else:
            self._screen.reloaded(saved, seconds)
        self._prepare()

    def _prepare(self) -> None:
        if self._launch is not None:
            self._starter.prepare(self._launch)

    def _name_missing(self, values: Mapping[str, str]) -> None:
        """Required variables without a value, when that is news: what needs them may come later."""
        required = self._project.environment.required
        missing = [name for name in required if not values.get(name, "").strip()]
        if missing and missing != self._missing:
            self._screen.note(
                f"Required environment variables are not set: {', '.join(missing)}.",
                "Set them, or put them in .env; until then, what needs them fails.",
            )
        self._missing = missing
