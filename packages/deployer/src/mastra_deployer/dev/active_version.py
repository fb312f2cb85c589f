"""Who answers: the newest version that works, or the error where there is none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

from mastra_deployer.dev.app_error import Problem, of_exit
from mastra_deployer.dev.console import Screen
from mastra_deployer.dev.error_page import render, render_far
from mastra_deployer.dev.listener import Address
from mastra_deployer.dev.placeholder_server import StandIn
from mastra_deployer.dev.version import Version

__all__ = ("Serving",)


class Serving:
    """The version that serves, those that finish what they began, and the stand-in."""

    def __init__(self, address: Address, screen: Screen) -> None:
        self._address = address
        self._screen = screen
        self._standin = StandIn()
        self._version: Version | None = None
        self._retiring: set[Version] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._problems = 0

    async def take_over(self, version: Version, debug: str = "") -> None:
        """Have the version before take no more requests: ``version`` takes them already.

        :param debug: where the new one listens for a debugger, once the old one has gone.
        """
        old, self._version = self._version, version
        self._standin.stop()
        self._spawn(self._watch(version))
        if old is not None:
            await old.drain()
            self._spawn(self._gone(old, version, debug))
        elif debug:
            version.attach(debug)

    async def refuse(self, problem: Problem) -> None:
        """Show a problem: to browsers where a version still answers the rest, else to everybody."""
        self._problems += 1
        number = f"{os.getpid()}-{self._problems}"
        kept = self._version is not None
        if self._version is not None:
            near = render(problem, number, kept=True)
            self._version.show({"id": number, "near": near, "far": render_far(number)})
        else:
            await self._standin.show(self._address.bind(), problem, number)
        self._screen.broken(problem, self._address.url, kept=kept)

    def retire(self, version: Version) -> None:
        """Have a version finish what it may have begun, and end."""
        self._spawn(self._drained(version))

    async def end(self) -> None:
        """End everything, what is running first."""
        self._standin.stop()
        version, self._version = self._version, None
        if version is not None:
            self.retire(version)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def force(self) -> None:
        """End everything at once."""
        for version in self._retiring:
            self._spawn(version.kill())

    async def _watch(self, version: Version) -> None:
        code = await asyncio.shield(version.ended)
        if self._version is version:
            self._version = None
            await self.refuse(of_exit(code, served=True))

    async def _drained(self, version: Version) -> None:
        self._retiring.add(version)
        await version.drain()
        await self._gone(version)

    async def _gone(self, old: Version, new: Version | None = None, debug: str = "") -> None:
        self._retiring.add(old)
        await old.gone()
        self._retiring.discard(old)
        if new is not None and debug:
            new.attach(debug)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
