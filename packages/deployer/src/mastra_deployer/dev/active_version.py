"""The version of the app that serves requests; a placeholder server if there is none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

from mastra_deployer.dev.app_error import AppProblem, problem_from_exit
from mastra_deployer.dev.console import Screen
from mastra_deployer.dev.error_page import render_page, render_redacted_page
from mastra_deployer.dev.listener import Address
from mastra_deployer.dev.local_access_child import LocalAccess
from mastra_deployer.dev.placeholder_server import PlaceholderServer
from mastra_deployer.dev.version import Version

__all__ = ("ActiveVersion",)


class ActiveVersion:
    """The active version, the versions that drain, and the placeholder server.

    :param address: the address of the app.
    :param screen: shows problems.
    :param access: which hosts and web pages may send requests while no version works.
    """

    def __init__(self, address: Address, screen: Screen, access: LocalAccess) -> None:
        self._address = address
        self._screen = screen
        self._placeholder = PlaceholderServer(access)
        self._version: Version | None = None
        self._retiring: set[Version] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._problems = 0

    async def take_over(self, version: Version, debug: str = "") -> int:
        """Let a version that already serves become active, and drain the previously active version.

        :param version: the new version.
        :param debug: ``host:port`` on which the new version listens for a debugger, once the old
            version has ended; empty for none.
        :returns: the number of requests that the previously active version has to finish.
        """
        old, self._version = self._version, version
        self._placeholder.stop()
        self._spawn(self._watch(version))
        if old is not None:
            running = await old.drain()
            self._spawn(self._wait_for_exit(old, version, debug))
            return running
        if debug:
            version.attach_debugger(debug)
        return 0

    async def show_problem(self, problem: AppProblem) -> None:
        """Show a problem in browsers; if no version works, show it in every response.

        :param problem: the problem to show.
        """
        self._problems += 1
        number = f"{os.getpid()}-{self._problems}"
        kept = self._version is not None
        if self._version is not None:
            near, far = render_page(problem, number, has_version=True), render_redacted_page(number)
            self._version.show_page({"id": number, "near": near, "far": far})
        else:
            await self._placeholder.show(self._address.bind(), problem, number)
        self._screen.show_problem(problem, self._address.url, has_version=kept)

    def retire(self, version: Version) -> None:
        """Drain a version that is not active, and end its process.

        :param version: a version that may have accepted requests.
        """
        self._spawn(self._drain(version))

    async def shut_down(self) -> None:
        """Drain the active version, cancel requests of older versions, and end all processes."""
        self._placeholder.stop()
        for older in self._retiring:
            self._spawn(older.cancel())
        version, self._version = self._version, None
        if version is not None:
            self._spawn(self._drain(version, stop=True))
        while self._tasks:
            await asyncio.wait(self._tasks)

    def kill_all(self) -> None:
        """Kill the process of each version that is still draining."""
        for version in self._retiring:
            self._spawn(version.kill())

    async def _watch(self, version: Version) -> None:
        code = await asyncio.shield(version.exit_task)
        if self._version is version:
            self._version = None
            await self.show_problem(problem_from_exit(code, has_served=True))

    async def _drain(self, version: Version, *, stop: bool = False) -> None:
        self._retiring.add(version)
        await version.drain(stop=stop)
        await self._wait_for_exit(version)

    async def _wait_for_exit(
        self, old: Version, new: Version | None = None, debug: str = ""
    ) -> None:
        self._retiring.add(old)
        await old.wait_for_exit()
        self._retiring.discard(old)
        if new is not None and debug:
            new.attach_debugger(debug)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
