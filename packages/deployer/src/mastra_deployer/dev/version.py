"""One start of the app: a process in the project's Python, and the line to it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mastra_core.pipeline import Project
from mastra_deployer.bundler.verify.boot import launcher_file
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("DRAIN", "Launch", "Report", "Version", "stamps")

DRAIN = 2  # seconds that requests of an outdated version get
_CHILD = Path(__file__).parent / "app_child.py"
# Libraries that behave the same whenever they are imported, and take long: a process that waits
# for the next save has them ready. None of these asks the environment or other modules first.
_STEADY = (
    ("uvicorn", "uvicorn.lifespan.on", "uvicorn.protocols.http.httptools_impl", "uvloop")
    + ("litestar", "mastra_core", "mastra_core.describe", "mastra_core.agents.pydantic_ai")
    + ("mastra_server.app", "msgspec", "pydantic", "pydantic_ai", "openai", "anthropic", "httpx")
    + ("fastapi", "starlette.applications", "jinja2", "opentelemetry.sdk.trace")
)
_UNASKED = ("debugger", "note")
Report = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launch:
    """What a process is started with; one that waits is of use only where all of it is the same.

    :param values: the environment, whole.
    :param runtime: directories of what serves the app, where the project's Python lacks it.
    """

    interpreter: Interpreter
    root: Path
    import_root: Path
    values: Mapping[str, str] = dataclasses.field(repr=False)
    runtime: tuple[str, ...] = ()
    quiet: bool = False
    debug: bool = False


class Version:
    """A process that imports the app, then serves it until a newer one does.

    :param launch: what it was started with.
    :param told: called with what it says unasked.
    """

    def __init__(
        self, launch: Launch, process: asyncio.subprocess.Process, told: Callable[[Report], None]
    ) -> None:
        self.launch = launch
        self._told = told
        self.places: dict[str, int] = {}
        self._process = process
        self._heard: asyncio.Queue[Report] = asyncio.Queue()
        self.ended = asyncio.create_task(process.wait())

    @classmethod
    async def start(
        cls, launch: Launch, told: Callable[[Report], None], preload: Sequence[str] = ()
    ) -> Self:
        """Begin a process; it imports nothing of the user's before ``load``."""
        ours, theirs = socket.socketpair()
        frozen = ["-Xfrozen_modules=off"] if launch.debug else []
        words = [str(_CHILD), str(launcher_file()), str(theirs.fileno()), str(launch.import_root)]
        process = await asyncio.create_subprocess_exec(
            launch.interpreter.path,
            *frozen,
            *words,
            cwd=launch.root,
            env=launch.values,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self = cls(launch, process, told)
        await self._connect(ours)
        self._tell(
            do="prepare",
            root=str(launch.root),
            runtime=launch.runtime,
            preload=list(preload),
            quiet=launch.quiet,
            drain=DRAIN,
        )
        return self

    async def load(self, project: Project, entry: Path, source: bytes | None, debug: str) -> Report:
        """Import the app; what it has, or what is wrong, or ``exit`` where the process ended.

        :param source: of the entry file, where it is not read from the disk.
        :param debug: address on which a debugger is waited for.
        """
        self._tell(
            do="go",
            module=project.module,
            attribute=project.attribute,
            file=str(entry),
            source=base64.b64encode(source).decode() if source is not None else None,
            debug=debug,
            steady=_STEADY,
        )
        report = await self.hear("imported")
        self.places = stamps(report.get("places", ()))
        return report

    async def serve(self, listener: socket.socket) -> Report:
        """Hand the listening socket over, and wait until requests are taken from it."""
        with contextlib.suppress(OSError):  # it has ended, which is heard next
            socket.send_fds(self._socket, [b'{"do": "serve"}\n'], [listener.fileno()])
        return await self.hear("serving", "failed")

    async def hear(self, *events: str) -> Report:
        """The next report of these kinds; ``exit`` where the process ends instead."""
        while True:
            getter = asyncio.create_task(self._heard.get())
            try:
                await asyncio.wait({getter, self.ended}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not getter.done():
                    getter.cancel()
            if not getter.done():
                return await self._last(events)
            if getter.result()["event"] in events:
                return getter.result()

    async def drain(self) -> None:
        """Have it take no more requests, finish what it has, and end."""
        self._tell(do="leave")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.hear("closed"), 1)

    async def gone(self, seconds: float = DRAIN + 3) -> None:
        """Wait until it has ended, and end it where it does not."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.ended), seconds)
        await self.kill()

    async def kill(self) -> None:
        """End it at once."""
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self.ended
        self._writer.close()
        self._reading.cancel()

    def show(self, page: Mapping[str, str] | None) -> None:
        """Have it show a page to browsers, or the app again."""
        self._tell(do="page", page=page)

    def attach(self, address: str) -> None:
        """Have it listen for a debugger, and not wait."""
        self._tell(do="debug", address=address)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return not self.ended.done()

    def is_current(self, launch: Launch, places: Mapping[str, int]) -> bool:
        """Whether a process that waits is as good as one begun now.

        :param places: where packages are installed, and when that was last changed before it began.
        """
        return self.alive and launch == self.launch and places == stamps(list(places))

    async def _last(self, events: Sequence[str]) -> Report:
        """What it said before it ended, which may be heard after."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._reading), 0.5)
        while not self._heard.empty():
            report = self._heard.get_nowait()
            if report["event"] in events:
                return report
        return {"event": "exit", "code": self.ended.result()}

    async def _connect(self, ours: socket.socket) -> None:
        self._socket = ours
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=2**24)
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                report = json.loads(line)
                if report["event"] in _UNASKED:
                    self._told(report)
                else:
                    self._heard.put_nowait(report)

    def _tell(self, **order: Any) -> None:
        self._writer.write(json.dumps(order).encode() + b"\n")


def stamps(places: Sequence[str]) -> dict[str, int]:
    """When something was last installed into or removed from each directory."""
    found = {}
    for place in places:
        with contextlib.suppress(OSError):
            found[place] = Path(place).stat().st_mtime_ns
    return found
