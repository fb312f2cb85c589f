"""A version of the app: a process in the project's Python, and the socket to the process."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mastra_core.pipeline import Project
from mastra_deployer.bundler.verify.boot import get_launcher_file
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("Launch", "Report", "Version", "read_mtimes")

_DRAIN_TIMEOUT = 300  # seconds that running requests of an app without a Mastra object get
_EXIT_GRACE = 3  # seconds after the drain until the process is killed
_STOP_DRAIN = 2  # seconds that running requests get at the end of ``mastra dev``
_CHILD = Path(__file__).parent / "app_child.py"
# Slow libraries that a standby process imports early. Their import does not depend on the
# environment or on other modules.
_STEADY = (
    ("uvicorn", "uvicorn.lifespan.on", "uvicorn.protocols.http.httptools_impl", "uvloop")
    + ("litestar", "mastra_core", "mastra_core.describe", "mastra_core.agents.loop")
    + ("mastra_server.app", "msgspec", "pydantic", "pydantic_ai", "openai", "anthropic", "httpx")
    + ("fastapi", "starlette.applications", "jinja2", "opentelemetry.sdk.trace")
)
_UNSOLICITED = ("debugger", "note")
Report = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launch:
    """The parameters of a process; a standby process is used only if its parameters are the same.

    :param interpreter: the interpreter of the project.
    :param root: the root of the project, which is also the working directory of the process.
    :param import_root: first directory of the import path.
    :param values: the whole environment.
    :param editables: import roots of packages that are installed as editable.
    :param runtime: directories with the server's packages, if the project's Python lacks them.
    :param quiet: do not log requests.
    :param debug: whether a debugger is used.
    :param address: the address that the listening socket is bound to.
    :param hosts: further host names that the app's URL may have, besides this machine's names.
    """

    interpreter: Interpreter
    root: Path
    import_root: Path
    values: Mapping[str, str] = dataclasses.field(repr=False)
    editables: tuple[Path, ...] = ()
    runtime: tuple[str, ...] = ()
    quiet: bool = False
    debug: bool = False
    address: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()


class Version:
    """A process that imports and serves the app, until a newer version replaces it.

    :param launch: the parameters of the process.
    :param process: the started process.
    :param on_report: called with each report of the process that does not answer a command.
    """

    def __init__(
        self,
        launch: Launch,
        process: asyncio.subprocess.Process,
        on_report: Callable[[Report], None],
    ) -> None:
        self.launch = launch
        self._on_report = on_report
        self._drain_timeout: float = _DRAIN_TIMEOUT
        self._process = process
        self._reports: asyncio.Queue[Report] = asyncio.Queue()
        self.exit_task = asyncio.create_task(process.wait())

    @classmethod
    async def start(
        cls, launch: Launch, on_report: Callable[[Report], None], preload: Sequence[str] = ()
    ) -> Self:
        """Start a process; it imports no code of the user before ``load``.

        :param launch: the parameters of the process.
        :param on_report: called with each report of the process that does not answer a command.
        :param preload: modules to import at once.
        """
        parent, child = socket.socketpair()
        frozen = ["-Xfrozen_modules=off"] if launch.debug else []
        channel = str(child.fileno())
        arguments = [str(_CHILD), str(get_launcher_file()), channel, str(launch.import_root)]
        # Ctrl-C reaches the child too. It must not end the child before its handler is installed.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            process = await asyncio.create_subprocess_exec(
                launch.interpreter.path,
                *frozen,
                *arguments,
                cwd=launch.root,
                env=launch.values,
                pass_fds=[child.fileno()],
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            child.close()
        self = cls(launch, process, on_report)
        await self._connect(parent)
        self._send(
            do="prepare",
            roots=[str(launch.root), *map(str, launch.editables)],
            runtime=launch.runtime,
            preload=list(preload),
            quiet=launch.quiet,
            address=launch.address,
            hosts=launch.hosts,
        )
        return self

    async def load(self, project: Project, entry: Path, source: bytes | None, debug: str) -> Report:
        """Import the app and return the report; return an ``exit`` event if the process ended.

        :param project: the project as it is saved now.
        :param entry: path of the entry file.
        :param source: the source to use for the entry file; ``None`` to read the file.
        :param debug: ``host:port`` on which the app waits for a debugger; empty for none.
        """
        self._send(
            do="go",
            module=project.module,
            attribute=project.attribute,
            file=str(entry),
            source=base64.b64encode(source).decode() if source is not None else None,
            debug=debug,
            steady=_STEADY,
        )
        report = await self.wait_for_report("imported")
        serve = (report.get("registry") or {}).get("serve", {})
        self._drain_timeout = serve.get("drain", _DRAIN_TIMEOUT)
        return report

    async def serve(self, listener: socket.socket) -> Report:
        """Pass the listening socket to the process, and wait until the process serves.

        :param listener: the app's socket.
        """
        with contextlib.suppress(OSError):  # the process has ended, which the next line reports
            socket.send_fds(self._socket, [b'{"do": "serve"}\n'], [listener.fileno()])
        return await self.wait_for_report("serving", "failed")

    async def wait_for_report(self, *events: str) -> Report:
        """Return the next report of given kinds; return an ``exit`` event if the process ends.

        :param events: names of the events.
        """
        while True:
            getter = asyncio.create_task(self._reports.get())
            try:
                await asyncio.wait({getter, self.exit_task}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not getter.done():
                    getter.cancel()
            if not getter.done():
                return await self._drain_reports(events)
            if getter.result()["event"] in events:
                return getter.result()

    async def drain(self, *, stop: bool = False) -> int:
        """Let the process refuse new requests, finish the accepted requests, and end.

        :param stop: whether ``mastra dev`` ends. If ``stop`` is true, running requests have two
            seconds to finish.
        :returns: the number of running requests.
        """
        if stop:
            self._drain_timeout = min(self._drain_timeout, _STOP_DRAIN)
        self._send(do="leave", drain=self._drain_timeout)
        with contextlib.suppress(TimeoutError):
            report = await asyncio.wait_for(self.wait_for_report("closed"), 1)
            return int(report.get("requests", 0))
        return 0

    async def wait_for_exit(self) -> None:
        """Wait until the process has ended, and kill it after a timeout."""
        await self._wait_or_kill(self._drain_timeout + _EXIT_GRACE)

    async def cancel(self) -> None:
        """Cancel the requests of a process that drains, and wait until the process has ended."""
        self._send(do="cancel")
        await self._wait_or_kill(_EXIT_GRACE)

    async def _wait_or_kill(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.exit_task), seconds)
        await self.kill()

    async def kill(self) -> None:
        """Kill the process."""
        if not self.exit_task.done():
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self.exit_task
        self._writer.close()
        self._reading.cancel()

    def show_page(self, page: Mapping[str, str] | None) -> None:
        """Show a page in browsers instead of the app.

        :param page: the page to show; ``None`` shows the app again.
        """
        self._send(do="page", page=page)

    def attach_debugger(self, address: str) -> None:
        """Let the process listen for a debugger, without waiting for a connection.

        :param address: ``host:port``.
        """
        self._send(do="debug", address=address)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return not self.exit_task.done()

    def is_current(self, launch: Launch, mtimes: Mapping[str, int]) -> bool:
        """Return whether a standby process has the same state as a new process would have.

        :param launch: the parameters of a new process.
        :param mtimes: directories of packages, with their change times at the start of the process.
        """
        return self.is_alive and launch == self.launch and mtimes == read_mtimes(list(mtimes))

    async def _drain_reports(self, events: Sequence[str]) -> Report:
        """Return a report that was sent before the process ended, or an ``exit`` event."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._reading), 0.5)
        while not self._reports.empty():
            report = self._reports.get_nowait()
            if report["event"] in events:
                return report
        return {"event": "exit", "code": self.exit_task.result()}

    async def _connect(self, parent: socket.socket) -> None:
        self._socket = parent
        reader, self._writer = await asyncio.open_connection(sock=parent, limit=2**24)
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                report = json.loads(line)
                if report["event"] in _UNSOLICITED:
                    self._on_report(report)
                else:
                    self._reports.put_nowait(report)

    def _send(self, **order: Any) -> None:
        self._writer.write(json.dumps(order).encode() + b"\n")


def read_mtimes(directories: Sequence[str]) -> dict[str, int]:
    """Return the modification time of each directory, which changes when a package is installed.

    :param directories: the directories of installed packages.
    """
    mtimes = {}
    for directory in directories:
        with contextlib.suppress(OSError):
            mtimes[directory] = Path(directory).stat().st_mtime_ns
    return mtimes
