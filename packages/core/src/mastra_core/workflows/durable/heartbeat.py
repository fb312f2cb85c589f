"""Report that this process lives, from a thread that a busy event loop cannot delay."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from mastra_core.errors import StorageError
from mastra_core.logger import get_logger
from mastra_core.workflows.durable.store.run_rows import Member
from mastra_core.workflows.durable.store.run_store import RunStore

__all__ = ("Heartbeat", "find_dead_members", "identify_machine")

_BEATS = 4  # reports for each lease
_STOP_SECONDS = 2.0


class Heartbeat:
    """Renews the lease of a process.

    :param store: a store whose connections only this object uses.
    :param member: the process.
    :param lease: the seconds after which the process counts as dead.
    """

    def __init__(self, store: RunStore, member: Member, lease: float) -> None:
        self._store, self.member, self._lease = store, member, lease
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="mastra-heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def request_stop(self) -> None:
        """Let the thread end soon, without waiting for it."""
        self._ready.wait()
        if self._loop is not None and self._stopped is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._stopped.set)

    def stop(self) -> None:
        """Stop the thread, and wait a few seconds for its end.

        A report may wait for ever, for example for the lock of another session.
        """
        self.request_stop()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        try:
            with contextlib.suppress(RuntimeError):  # the interpreter shuts down
                asyncio.run(self._beat())
        finally:
            self._ready.set()  # also if no event loop could be created: nobody waits forever

    async def _beat(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        try:
            while not self._stopped.is_set():
                await self._report()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), self._lease / _BEATS)
        finally:
            await self._store.close()

    async def _report(self) -> None:
        try:
            await self._store.beat(self.member, self._lease)
        except StorageError as error:
            get_logger("mastra.workflows").error("%s cannot report: %s", self.member.name, error)
        except Exception:  # noqa: BLE001  # the next report may succeed before the lease ends
            get_logger("mastra.workflows").exception("%s cannot report", self.member.name)


def identify_machine() -> str:
    """Return an id of the machine's boot and process namespace; empty if the system has none.

    Containers on one machine have different ids, because process ids repeat among containers.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115  # no path: pid:[4026531836]
    except OSError:
        return ""


def find_dead_members(members: Iterable[Member], machine: str) -> list[Member]:
    """Return the members of this machine whose processes no longer exist.

    Another process can take over the runs of a dead process before the dead process's lease ends.

    :param members: the processes that have reported.
    :param machine: the id of this machine.
    """
    return [
        member
        for member in members
        if machine and member.machine == machine and not _is_alive(member.process)
    ]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
